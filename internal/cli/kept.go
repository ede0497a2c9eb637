package cli

import (
	"path/filepath"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/cache"
)

// Directories of the user's cache directory, beside those for answers about
// revocation.
const (
	contentDir = "content"
	tokenDir   = "tokens"
)

// cacheDir returns the user's cache directory, or one in it; "": there is none,
// or nothing is to be kept.
func (a *app) cacheDir(elem ...string) string {
	dirs, _ := a.dirs() // the cache may be known where the configuration is not
	if a.noCache || dirs.Cache == "" {
		return ""
	}
	return filepath.Join(append([]string{dirs.Cache}, elem...)...)
}

// cached makes open put what earlier runs have fetched before the repositories of
// registries, for commands that only read. It is not for a look at what a command
// has written. What the layouts of this machine hold is as near as the cache.
func (a *app) cached(open placeOpener) placeOpener {
	return func(t target, scope string) (oci.Repository, error) {
		repo, err := open(t, scope)
		if err != nil || t.path != "" {
			return repo, err
		}
		return a.content().Repository(repo), nil
	}
}

// openCache opens the cache of content; nil: there is none.
func (a *app) openCache() *cache.Cache {
	dir := a.cacheDir(contentDir)
	if dir == "" {
		return nil
	}
	a.opened = cache.New(cache.Options{Dir: dir})
	return a.opened
}
