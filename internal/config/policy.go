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

// ReadPolicy is [Dirs.ReadPolicyOf] for artifacts in registries.
func (d Dirs) ReadPolicy() (PolicyFile, error) { return d.ReadPolicyOf(trust.OCIPolicy) }

// ReadPolicyOf reads the trust policy of a kind. That for artifacts may have an
// older name. If both are there, the newer one is read and a warning says so.
// Without any, the error has the code config.no-policy.
func (d Dirs) ReadPolicyOf(kind trust.Kind) (PolicyFile, error) {
	path, older := d.PolicyFileOf(kind), d.olderPolicyFile(kind)
	p, err := readPolicy(path, readOwnPolicy)
	if older != "" && errors.Is(err, fs.ErrNotExist) {
		p, err = readPolicy(older, readOwnPolicy)
		older = ""
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return PolicyFile{}, noPolicy(kind, path)
	case err != nil || older == "":
		return p, err
	}
	if _, err := os.Lstat(older); err == nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%q is not used, because %q is there", older, p.Path))
	}
	return p, nil
}

func noPolicy(kind trust.Kind, path string) error {
	if kind == trust.BlobPolicy {
		return reason.Errorf(reason.ConfigNoPolicy, "there is no trust policy for files, %q", path).
			WithHint("write one with 'notation blob policy init --global', or name one with --policy, or a root certificate with --ca-cert")
	}
	return reason.Errorf(reason.ConfigNoPolicy, "there is no trust policy %q", path).
		WithHint("trust a certificate with 'notation cert add --name NAME FILE', or write a policy with 'notation policy init'")
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
// be a link or a pipe of the shell's.
func ReadPolicyAt(path string) (PolicyFile, error) {
	return readPolicy(path, func(path string, limit int64) ([]byte, error) {
		return atomicfile.ReadNamed(context.Background(), path, limit) // an interrupt ends the writer of the pipe, too
	})
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

// WritePolicy writes the trust policy of a kind. One that exists, under either
// name, is replaced only with force: else the error has the code
// config.policy-exists. data is not looked at; whoever calls has parsed it.
func (d Dirs) WritePolicy(ctx context.Context, w atomicfile.Writer, kind trust.Kind, data []byte, force bool) error {
	if err := w.MkdirAll(d.Config); err != nil {
		return err
	}
	file := d.PolicyFileOf(kind)
	return w.Update(ctx, file, atomicfile.ModePublic, func(old []byte) ([]byte, error) {
		path := file
		if old == nil {
			path = d.olderPolicyFile(kind)
		}
		if force || path == "" {
			return data, nil
		}
		if _, err := os.Lstat(path); err == nil {
			return nil, policyExists(kind, path)
		}
		return data, nil
	})
}

func policyExists(kind trust.Kind, path string) error {
	show := "notation policy show"
	if kind == trust.BlobPolicy {
		show = "notation blob policy show"
	}
	return reason.Errorf(reason.ConfigPolicyExists, "there is a trust policy %q already", path).
		WithHint("look at it with '%s'; --force replaces it", show)
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
			if _, err := os.Lstat(d.olderPolicyFile(trust.OCIPolicy)); err == nil {
				return nil, nil
			}
			did = StarterWritten
			return trust.Starter(trust.OCIPolicy, ref).Encode(trust.OCIPolicy)
		}
		stores, ok := starterStores(old)
		switch {
		case !ok:
			return nil, nil
		case slices.Contains(stores, ref):
			did = StarterNames
			return nil, nil
		}
		did = StarterExtended
		return trust.Starter(trust.OCIPolicy, append(stores, ref)...).Encode(trust.OCIPolicy)
	})
	return did, err
}

// starterStores returns the stores of a starter policy. It is one if writing
// the starter policy with its stores gives the same bytes: what a person has
// touched in any way is that person's.
func starterStores(data []byte) ([]trust.StoreRef, bool) {
	policy, err := trust.ParsePolicy("", data)
	if err != nil || len(policy.Statements()) != 1 {
		return nil, false
	}
	stores := policy.Statements()[0].Stores()
	again, err := trust.Starter(trust.OCIPolicy, stores...).Encode(trust.OCIPolicy)
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
