package authority

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// TSAPolicy is the policy under which openssl stamps here.
const TSAPolicy = "1.2.3.4.5"

// tsaConfiguration is openssl's for a time-stamping authority; the blanks are
// its directory, its certificate and its key.
const tsaConfiguration = `[tsa]
default_tsa = self
[self]
dir = %s
serial = $dir/serial
crypto_device = builtin
signer_cert = %s
certs = $dir/issuers.pem
signer_key = %s
signer_digest = sha256
default_policy = ` + TSAPolicy + `
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
`

// TSA is "openssl ts" behind HTTP.
type TSA struct {
	*services
	mu sync.Mutex // openssl ts counts serial numbers in a file
}

// NewTSA starts an authority in a directory, which must not exist, with a
// certificate that ca has issued.
func NewTSA(dir string, ca *CA, name string) (*TSA, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "openssl.cnf")
	text := fmt.Sprintf(tsaConfiguration, dir, ca.LeafFile(name), ca.KeyFile(name))
	if err := concatenate(filepath.Join(dir, "issuers.pem"), ca.path(Intermediate, "ca.crt"), ca.RootFile()); err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "serial"), []byte("01\n"), 0o600); err != nil {
		return nil, err
	}
	s, err := newServices()
	if err != nil {
		return nil, err
	}
	t := &TSA{services: s}
	t.handle("/", TS, func(w http.ResponseWriter, r *http.Request) error {
		query, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			return err
		}
		reply, err := t.stamp(dir, config, query)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		_, err = w.Write(reply)
		return err
	})
	return t, nil
}

// TS is the service of a TSA.
const TS = "ts"

func (t *TSA) stamp(dir, config string, query []byte) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := filepath.Join(dir, "query")
	if err := os.WriteFile(in, query, 0o600); err != nil {
		return nil, err
	}
	return openssl(nil, "ts", "-reply", "-config", config, "-queryfile", in)
}
