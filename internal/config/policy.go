package config

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// PolicyFile is the trust policy as it lies on disk, not parsed yet.
type PolicyFile struct {
	Path string
	Data []byte
	// Warnings are sentences about the file that a user should see.
	Warnings []string
}

// ReadPolicy reads the trust policy. If both names are there, the newer one,
// trustpolicy.oci.json, is read and a warning says so. Without any, the error
// has the code config.no-policy.
func (d Dirs) ReadPolicy() (PolicyFile, error) {
	p, err := readPolicy(d.PolicyFile(), readOwnPolicy)
	if errors.Is(err, fs.ErrNotExist) {
		p, err = readPolicy(d.olderPolicyFile(), readOwnPolicy)
		if errors.Is(err, fs.ErrNotExist) {
			return PolicyFile{}, reason.Errorf(reason.ConfigNoPolicy, "there is no trust policy %q", d.PolicyFile()).
				WithHint("trust a certificate with 'notation cert add --name NAME FILE', or write a policy with 'notation policy init'")
		}
		return p, err
	}
	if err != nil {
		return PolicyFile{}, err
	}
	if _, err := os.Lstat(d.olderPolicyFile()); err == nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%q is not used, because %q is there", d.olderPolicyFile(), p.Path))
	}
	return p, nil
}

// readOwnPolicy reads a policy of the configuration directory.
func readOwnPolicy(path string, limit int64) ([]byte, error) {
	data, err := atomicfile.Read(path, limit)
	if reason.Of(err) == reason.ConfigNotRegular {
		return nil, reason.Wrap(reason.ConfigNotRegular, err, "the trust policy was not read").
			WithHint("%s; --policy FILE reads a policy through a link", reason.Hint(err))
	}
	return data, err
}

// CheckStarter reports whether [Dirs.TrustInStarter] will find a policy file
// that it can read, or none. It changes nothing.
func (d Dirs) CheckStarter() error {
	_, err := atomicfile.Read(d.PolicyFile(), maxPolicyBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReadPolicyAt reads a trust policy from a path that the user named, which may
// be a link.
func ReadPolicyAt(path string) (PolicyFile, error) {
	return readPolicy(path, atomicfile.ReadLinked)
}

func readPolicy(path string, read func(string, int64) ([]byte, error)) (PolicyFile, error) {
	data, err := read(path, maxPolicyBytes)
	if err != nil {
		return PolicyFile{}, err
	}
	p := PolicyFile{Path: path, Data: data}
	for _, each := range []string{path, filepath.Dir(path)} {
		if w := writableByOthers(each); w != "" {
			p.Warnings = append(p.Warnings, w)
		}
	}
	return p, nil
}

// writableByOthers returns a warning about a file or directory in which users
// other than its owner may change what is trusted, or "". A directory with the
// sticky bit lets nobody replace another's files.
func writableByOthers(path string) string {
	const groupOrOthers = 0o022
	info, err := os.Stat(path)
	if err != nil || !hasModes || info.Mode().Perm()&groupOrOthers == 0 {
		return ""
	}
	if info.IsDir() {
		if info.Mode()&fs.ModeSticky != 0 {
			return ""
		}
		return fmt.Sprintf("directory %q of the trust policy may be written by other users (mode %04o)", path, info.Mode().Perm())
	}
	return fmt.Sprintf("trust policy %q may be written by other users (mode %04o)", path, info.Mode().Perm())
}

// ReadableByOthers returns a warning about a secret that users other than its
// owner may read, or "".
func ReadableByOthers(path string) string {
	const groupOrOthers = 0o044
	info, err := os.Stat(path)
	if err != nil || !hasModes || info.Mode().Perm()&groupOrOthers == 0 {
		return ""
	}
	return fmt.Sprintf("private key %q may be read by other users (mode %04o)", path, info.Mode().Perm())
}

// WritePolicy writes the trust policy. One that exists, under either name, is
// replaced only with force: else the error has the code config.policy-exists.
// data is not looked at; whoever calls has parsed it.
func (d Dirs) WritePolicy(ctx context.Context, w atomicfile.Writer, data []byte, force bool) error {
	if err := w.MkdirAll(d.Config); err != nil {
		return err
	}
	return w.Update(ctx, d.PolicyFile(), atomicfile.ModePublic, func(old []byte) ([]byte, error) {
		if force {
			return data, nil
		}
		path := d.PolicyFile()
		if old == nil {
			path = d.olderPolicyFile()
		}
		if _, err := os.Lstat(path); err == nil {
			return nil, reason.Errorf(reason.ConfigPolicyExists, "there is a trust policy %q already", path).
				WithHint("look at it with 'notation policy show'; --force replaces it")
		}
		return data, nil
	})
}

// Starter is what became of the starter policy.
type Starter uint8

const (
	// StarterForeign: the policy is the user's own and was not touched.
	StarterForeign Starter = iota
	// StarterWritten: there was no policy; now there is the starter policy.
	StarterWritten
	// StarterExtended: the starter policy was there and now names the store.
	StarterExtended
	// StarterNames: the starter policy names the store already.
	StarterNames
)

// TrustInStarter has the starter policy name a trust store: it writes the
// policy where there is none, and adds the store to it where it stands as this
// program wrote it. A policy that the user wrote or changed is left alone.
func (d Dirs) TrustInStarter(ctx context.Context, w atomicfile.Writer, ref trust.StoreRef) (Starter, error) {
	if err := w.MkdirAll(d.Config); err != nil {
		return StarterForeign, err
	}
	did := StarterForeign
	err := w.Update(ctx, d.PolicyFile(), atomicfile.ModePublic, func(old []byte) ([]byte, error) {
		if old == nil {
			if _, err := os.Lstat(d.olderPolicyFile()); err == nil {
				return nil, nil
			}
			did = StarterWritten
			return starterPolicy([]string{ref.String()})
		}
		stores, ok := starterStores(old)
		switch {
		case !ok:
			return nil, nil
		case slices.Contains(stores, ref.String()):
			did = StarterNames
			return nil, nil
		}
		did = StarterExtended
		return starterPolicy(append(stores, ref.String()))
	})
	return did, err
}

// StarterName is the name of the starter policy's one statement.
const StarterName = "starter"

// Policy and statement of a trust policy 1.0, to write one. Reading is the
// business of package trust.
type policyDocument struct {
	Version   string              `json:"version"`
	Statement []statementDocument `json:"trustPolicies"`
}

type statementDocument struct {
	Name         string            `json:"name"`
	Scopes       []string          `json:"registryScopes"`
	Verification verificationLevel `json:"signatureVerification"`
	Stores       []string          `json:"trustStores"`
	Identities   []string          `json:"trustedIdentities"`
}

type verificationLevel struct {
	Level string `json:"level"`
}

// NewPolicy returns the text of a policy of one statement, which holds for
// every repository at level strict. stores and identities are taken as they
// are: the caller parses the result.
func NewPolicy(name string, stores, identities []string) ([]byte, error) {
	return marshalIndented(policyDocument{
		Version: "1.0",
		Statement: []statementDocument{{
			Name:         name,
			Scopes:       []string{"*"},
			Verification: verificationLevel{Level: trust.Strict.String()},
			Stores:       stores,
			Identities:   identities,
		}},
	})
}

func starterPolicy(stores []string) ([]byte, error) {
	return NewPolicy(StarterName, stores, []string{"*"})
}

// starterStores returns the stores of a starter policy. It is one if writing
// the starter policy with its stores gives the same bytes: what a person has
// touched in any way is that person's.
func starterStores(data []byte) ([]string, bool) {
	var doc policyDocument
	if err := strictjson.Unmarshal(data, &doc); err != nil || len(doc.Statement) != 1 {
		return nil, false
	}
	stores := doc.Statement[0].Stores
	again, err := starterPolicy(stores)
	return stores, err == nil && bytes.Equal(again, data)
}

// marshalIndented returns the JSON text of v as a person would write it.
func marshalIndented(v any) ([]byte, error) {
	compact, err := strictjson.Marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
