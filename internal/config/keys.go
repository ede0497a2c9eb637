package config

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// SigningKeys is signingkeys.json: the keys that may be named, and the one
// that is used when none is.
type SigningKeys struct {
	keys keysFile
}

type keysFile struct {
	Default *string        `json:"default,omitempty"`
	Keys    *[]Key         `json:"keys"` // other programs write null for an empty list
	Rest    strictjson.Raw `json:",embed"`
}

// Key is one entry: a key on disk, by KeyPath and CertPath, or one that a
// plugin holds, by ID and PluginName.
type Key struct {
	Name         string            `json:"name"`
	KeyPath      string            `json:"keyPath,omitempty"`
	CertPath     string            `json:"certPath,omitempty"`
	ID           string            `json:"id,omitempty"`
	PluginName   string            `json:"pluginName,omitempty"`
	PluginConfig map[string]string `json:"pluginConfig,omitempty"`
	Rest         strictjson.Raw    `json:",embed"` // what other programs wrote
}

// IsLocal reports whether the key is a file.
func (k Key) IsLocal() bool { return k.PluginName == "" && k.ID == "" }

// SigningKeys reads signingkeys.json. A missing file holds no key. A malformed
// one has the code config.signing-keys.
func (d Dirs) SigningKeys() (*SigningKeys, error) {
	data, err := atomicfile.Read(d.SigningKeysFile(), maxSigningKeysBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return &SigningKeys{}, nil
	}
	if err != nil {
		return nil, err
	}
	return parseSigningKeys(d.SigningKeysFile(), data)
}

// EditSigningKeys changes signingkeys.json under its lock. Nothing is written
// if edit returns an error. It is called twice, first for a trial, so that a
// change that is refused leaves not even a directory or a lock behind.
func (d Dirs) EditSigningKeys(ctx context.Context, w atomicfile.Writer, edit func(*SigningKeys) error) error {
	trial, err := d.SigningKeys()
	if err == nil {
		err = edit(trial)
	}
	if err != nil {
		return err
	}
	if err := w.MkdirAll(d.Config); err != nil {
		return err
	}
	path := d.SigningKeysFile()
	return w.Update(ctx, path, atomicfile.ModeSecret, func(old []byte) ([]byte, error) {
		keys := &SigningKeys{}
		if old != nil {
			var err error
			if keys, err = parseSigningKeys(path, old); err != nil {
				return nil, err
			}
		}
		if err := edit(keys); err != nil {
			return nil, err
		}
		return keys.marshal()
	})
}

func parseSigningKeys(path string, data []byte) (*SigningKeys, error) {
	fail := func(err error) (*SigningKeys, error) {
		return nil, reason.Wrap(reason.ConfigSigningKeys, err, "key list %q cannot be read", path).
			WithHint("correct the file, or move it away and add the keys again")
	}
	s := &SigningKeys{}
	if err := strictjson.UnmarshalOpen(data, &s.keys); err != nil {
		return fail(err)
	}
	all := s.All()
	if len(all) > maxKeys {
		return fail(reason.Errorf(reason.ConfigSigningKeys, "it holds more than %d keys", maxKeys))
	}
	seen := make(map[string]bool, len(all))
	for _, k := range all {
		switch {
		case k.Name == "":
			return fail(reason.Errorf(reason.ConfigSigningKeys, "it holds a key without name"))
		case seen[k.Name]:
			return fail(reason.Errorf(reason.ConfigSigningKeys, "it holds two keys named %q", k.Name))
		}
		seen[k.Name] = true
	}
	return s, nil
}

func (s *SigningKeys) marshal() ([]byte, error) {
	keys := s.All()
	if keys == nil {
		keys = []Key{}
	}
	return marshalIndented(keysFile{Default: s.keys.Default, Keys: &keys, Rest: s.keys.Rest})
}

// All returns the keys in the file's order.
func (s *SigningKeys) All() []Key {
	if s.keys.Keys == nil {
		return nil
	}
	return slices.Clone(*s.keys.Keys)
}

// DefaultName returns the name of the default key, or "".
func (s *SigningKeys) DefaultName() string {
	if s.keys.Default == nil {
		return ""
	}
	return *s.keys.Default
}

// Default returns the default key. The error's code is config.no-default-key,
// or config.key-unknown where the file names a default that is not there.
func (s *SigningKeys) Default() (Key, error) {
	name := s.DefaultName()
	if name == "" {
		return Key{}, reason.Errorf(reason.ConfigNoDefaultKey, "no key was named and there is no default key").
			WithHint("make a test key with 'notation cert generate-test --default NAME', add one with 'notation key add --default KEYFILE CERTFILE', or name one with --key")
	}
	return s.Find(name)
}

// Find returns the key of that name. The error's code is config.key-unknown.
func (s *SigningKeys) Find(name string) (Key, error) {
	all := s.All()
	if i := slices.IndexFunc(all, func(k Key) bool { return k.Name == name }); i >= 0 {
		return all[i], nil
	}
	return Key{}, s.unknown(name)
}

func (s *SigningKeys) unknown(name string) error {
	err := reason.Errorf(reason.ConfigKeyUnknown, "there is no key named %q", name)
	all := s.All()
	if len(all) == 0 {
		return err.WithHint("add one with 'notation key add' or make a test key with 'notation cert generate-test'")
	}
	names := make([]string, 0, len(all))
	for _, k := range all[:min(len(all), 10)] {
		names = append(names, strconv.Quote(k.Name))
	}
	if len(all) == 1 {
		return err.WithHint("the only key is %s", names[0])
	}
	return err.WithHint("known keys are %s; 'notation key list' shows all", strings.Join(names, ", "))
}

// Add adds a key, whose name must differ from every other's by more than case.
func (s *SigningKeys) Add(k Key) error {
	if err := CheckName(k.Name); err != nil {
		return err
	}
	all := s.All()
	for _, other := range all {
		if strings.EqualFold(other.Name, k.Name) {
			return reason.Errorf(reason.ConfigNameTaken, "there is a key named %q already", other.Name).
				WithHint("choose another name, or remove that key with 'notation key delete %s'", other.Name)
		}
	}
	if len(all) >= maxKeys {
		return reason.Errorf(reason.ConfigSigningKeys, "there are %d keys already", maxKeys).WithHint("delete some")
	}
	all = append(all, k)
	s.keys.Keys = &all
	return nil
}

// Replace puts k in the place of the key of the same name.
func (s *SigningKeys) Replace(k Key) error {
	all := s.All()
	i := slices.IndexFunc(all, func(other Key) bool { return other.Name == k.Name })
	if i < 0 {
		return s.unknown(k.Name)
	}
	all[i] = k
	s.keys.Keys = &all
	return nil
}

// RemoveAll removes the keys of those names, each of which may be given more
// than once: all of them or, after an error, none. It returns what was removed.
func (s *SigningKeys) RemoveAll(names []string) ([]Key, error) {
	var removed []Key
	for _, name := range names {
		key, err := s.Find(name)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(removed, func(k Key) bool { return k.Name == name }) {
			removed = append(removed, key)
		}
	}
	for _, k := range removed {
		if err := s.Remove(k.Name); err != nil {
			return nil, err
		}
	}
	return removed, nil
}

// Remove removes a key. If it was the default one, there is none afterwards.
func (s *SigningKeys) Remove(name string) error {
	all := s.All()
	i := slices.IndexFunc(all, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return s.unknown(name)
	}
	all = slices.Delete(all, i, i+1)
	s.keys.Keys = &all
	if s.DefaultName() == name {
		s.keys.Default = nil
	}
	return nil
}

// SetDefault makes the key of that name the default one.
func (s *SigningKeys) SetDefault(name string) error {
	if _, err := s.Find(name); err != nil {
		return err
	}
	s.keys.Default = &name
	return nil
}
