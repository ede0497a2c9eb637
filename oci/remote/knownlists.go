package remote

import "sync"

// knownLists are the registries that have listed referrers by the referrers API.
// Such a registry lists there what was signed before it had the API, too (OCI
// distribution specification, "Enabling the Referrers API"), so that its tags
// need be asked only if the list is of no use. That a registry has no API is not
// remembered: it may get one.
type knownLists struct {
	mu    sync.Mutex
	hosts map[string]bool
}

func (k *knownLists) has(host string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hosts[host]
}

func (k *knownLists) add(host string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hosts == nil || len(k.hosts) >= maxKnownLists {
		k.hosts = map[string]bool{}
	}
	k.hosts[host] = true
}
