// Package authority runs certification and time-stamping authorities with
// openssl: "openssl ca" issues and revokes, "openssl ocsp" answers about
// certificates, "openssl ts" stamps.
//
// All keep their files in a directory that the test chooses, where they can be
// read when it fails. What goes over the network is served by this process, on
// the loopback interface only: openssl's own OCSP server listens on every
// address. Each service counts what it was asked, and can be taken down and up
// again without losing its address, which is written in certificates.
package authority

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/test/toolbox"
)

// opensslTimeout bounds one run of openssl.
const opensslTimeout = time.Minute

// lifetime is how long before and after now root and intermediate are valid.
const lifetime = 10 * 365 * 24 * time.Hour

// The two authorities of a CA, which are also the names of their directories.
const (
	Root         = "root"
	Intermediate = "intermediate"
)

// Options shape a CA. The zero value names an OCSP responder and a revocation
// list in every certificate but the root.
type Options struct {
	NoOCSP, NoCRL bool
	// CRLValidity is how long a revocation list is good for; 0: a day.
	CRLValidity time.Duration
}

// CA is a root and an intermediate that issues. It is safe for concurrent use.
type CA struct {
	Dir     string
	options Options
	*services

	mu sync.Mutex // openssl ca rewrites its data base
}

// New makes a CA in a directory, which must not exist, and starts its services.
func New(dir string, o Options) (*CA, error) {
	if o.CRLValidity == 0 {
		o.CRLValidity = 24 * time.Hour
	}
	s, err := newServices()
	if err != nil {
		return nil, err
	}
	c := &CA{Dir: dir, options: o, services: s}
	if err := c.found(); err != nil {
		s.Close()
		return nil, err
	}
	c.serve()
	return c, nil
}

// found makes both authorities, a responder's certificate for each and their
// first revocation lists.
func (c *CA) found() error {
	now := time.Now()
	for _, name := range []string{Root, Intermediate} {
		if err := c.configure(name); err != nil {
			return err
		}
		parent, selfSign := Root, []string{}
		if name == Root {
			selfSign = []string{"-selfsign", "-keyfile", c.path(name, "ca.key")}
		}
		if err := c.request(name, "ca", c.subject(name)); err != nil {
			return err
		}
		profile := certificateAuthority
		if name == Intermediate {
			profile += c.pointers(Root)
		}
		if err := c.sign(parent, name, "ca", profile, now.Add(-lifetime), now.Add(lifetime), selfSign...); err != nil {
			return err
		}
		if name == Root {
			if err := concatenate(c.RootFile(), c.path(name, "ca.crt")); err != nil {
				return err
			}
		}
		if err := c.request(name, "ocsp", c.subject(name)+" responder"); err != nil {
			return err
		}
		if err := c.sign(name, name, "ocsp", responder, now.Add(-lifetime), now.Add(lifetime)); err != nil {
			return err
		}
		if err := c.list(name); err != nil {
			return err
		}
	}
	return nil
}

// RootFile is the file with the root's certificate.
func (c *CA) RootFile() string { return filepath.Join(c.Dir, Root+".crt") }

// KeyFile is the private key of an issued certificate.
func (c *CA) KeyFile(name string) string { return filepath.Join(c.Dir, name+".key") }

// ChainFile is an issued certificate with its chain, root last.
func (c *CA) ChainFile(name string) string { return filepath.Join(c.Dir, name+".crt") }

// LeafFile is an issued certificate alone.
func (c *CA) LeafFile(name string) string { return filepath.Join(c.Dir, name+".leaf.crt") }

func (c *CA) path(authority, file string) string { return filepath.Join(c.Dir, authority, file) }

func (c *CA) subject(name string) string {
	return "/C=US/ST=WA/O=wabbit-networks.io/CN=" + filepath.Base(c.Dir) + " " + name
}

// A Certificate says what to issue. The zero value is a code-signing
// certificate that became valid an hour ago and is for a day.
type Certificate struct {
	TimeStamping bool
	From, To     time.Duration // from now; 0: the default
	Extensions   string        // lines for openssl that replace those of the kind
}

// Issue has the intermediate issue a certificate for a new key, in the files
// that KeyFile, ChainFile and LeafFile name.
func (c *CA) Issue(name string, cert Certificate) error {
	cert.From, cert.To = cmp.Or(cert.From, -time.Hour), cmp.Or(cert.To, 24*time.Hour)
	extensions := cert.Extensions
	switch {
	case extensions != "":
	case cert.TimeStamping:
		extensions = timeStamping
	default:
		extensions = codeSigning
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.request("", name, "/C=US/ST=WA/O=wabbit-networks.io/CN="+name); err != nil {
		return err
	}
	now := time.Now()
	if err := c.sign(Intermediate, "", name, extensions+c.pointers(Intermediate), now.Add(cert.From), now.Add(cert.To)); err != nil {
		return err
	}
	if err := os.Rename(c.ChainFile(name), c.LeafFile(name)); err != nil {
		return err
	}
	return concatenate(c.ChainFile(name), c.LeafFile(name), c.path(Intermediate, "ca.crt"), c.RootFile())
}

// Revoke revokes an issued certificate now, or the intermediate's by its name,
// and publishes a new list. reason is a name that openssl ca knows; "": none.
func (c *CA) Revoke(name, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	issuer, file := Intermediate, c.LeafFile(name)
	if name == Intermediate {
		issuer, file = Root, c.path(Intermediate, "ca.crt")
	}
	args := []string{"ca", "-config", c.path(issuer, "openssl.cnf"), "-revoke", file}
	if reason != "" {
		args = append(args, "-crl_reason", reason)
	}
	if _, err := openssl(nil, args...); err != nil {
		return err
	}
	return c.list(issuer)
}

// request makes a key, and a certificate request with a subject.
func (c *CA) request(authority, name, subject string) error {
	_, err := openssl(nil, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", c.path(authority, name+".key"), "-out", c.path(authority, name+".csr"), "-subj", subject)
	return err
}

// sign has an authority sign the request NAME.csr in the directory of another,
// which becomes NAME.crt there.
func (c *CA) sign(issuer, dir, name, extensions string, from, to time.Time, more ...string) error {
	file := c.path(dir, name+".ext")
	if err := os.WriteFile(file, []byte(extensions), 0o600); err != nil {
		return err
	}
	_, err := openssl(nil, append([]string{
		"ca", "-batch", "-notext", "-config", c.path(issuer, "openssl.cnf"), "-extfile", file,
		"-startdate", asn1Time(from), "-enddate", asn1Time(to),
		"-in", c.path(dir, name+".csr"), "-out", c.path(dir, name+".crt"),
	}, more...)...)
	return err
}

// list has an authority publish its revocation list, in DER as RFC 5280 wants.
func (c *CA) list(authority string) error {
	text, err := openssl(nil, "ca", "-config", c.path(authority, "openssl.cnf"), "-gencrl",
		"-crl_nextupdate", asn1Time(time.Now().Add(c.options.CRLValidity)))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("openssl ca -gencrl printed %q", text)
	}
	return os.WriteFile(c.path(authority, "list.crl"), block.Bytes, 0o600)
}

func asn1Time(t time.Time) string { return t.UTC().Format("20060102150405Z") }

func concatenate(to string, from ...string) error {
	var all []byte
	for _, file := range from {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		all = append(all, data...)
	}
	return os.WriteFile(to, all, 0o600)
}

// openssl runs openssl and returns its standard output.
func openssl(stdin []byte, args ...string) ([]byte, error) {
	path, err := toolbox.Find("openssl")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), opensslTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	// A configuration or a seed file of the machine must not matter.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "RANDFILE=/dev/null"}
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("openssl %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out, nil
}
