package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// Settings is config.json. The zero value is that of a missing file.
type Settings struct {
	// InsecureRegistries are hosts, with port where there is one, that are
	// spoken to in plain HTTP.
	InsecureRegistries []string `json:"insecureRegistries,omitempty"`
	// CredentialsStore and CredentialHelpers name docker-credential helpers,
	// as in Docker's config.json.
	CredentialsStore  string            `json:"credsStore,omitempty"`
	CredentialHelpers map[string]string `json:"credHelpers,omitempty"`
	// SignatureFormat is "jws" or "cose"; "" means jws.
	SignatureFormat string `json:"signatureFormat,omitempty"`
	// TimestampURLs are the time-stamping authorities that are asked when
	// signing, in this order, unless the command line names others.
	TimestampURLs []string `json:"timestampUrls,omitempty"`
	// TimestampRootCerts are files with the root certificates that such a time
	// stamp must lead to. Relative paths are made absolute when they are read:
	// they start at the configuration directory.
	TimestampRootCerts []string `json:"timestampRootCerts,omitempty"`
	// RevocationPrivateRedirects lets redirects of those who are asked about
	// revocation lead into private networks.
	RevocationPrivateRedirects bool `json:"revocationPrivateRedirects,omitempty"`
}

// Settings reads config.json strictly. A missing file gives the zero value.
// A malformed one has the code config.settings.
func (d Dirs) Settings() (Settings, error) {
	path := d.SettingsFile()
	data, err := atomicfile.Read(path, maxSettingsBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return Settings{}, nil
	}
	if err != nil {
		return Settings{}, err
	}
	var s Settings
	if err := strictjson.Unmarshal(data, &s); err != nil {
		return Settings{}, reason.Wrap(reason.ConfigSettings, err, "settings %q cannot be read", path).
			WithHint("correct the file; it may hold insecureRegistries, credsStore, credHelpers, signatureFormat, timestampUrls, timestampRootCerts and revocationPrivateRedirects")
	}
	switch s.SignatureFormat {
	case "", "jws", "cose":
	default:
		return Settings{}, reason.Errorf(reason.ConfigSettings, "settings %q have the unknown signatureFormat %q", path, s.SignatureFormat).
			WithHint(`write "jws" or "cose"`)
	}
	if slices.Contains(s.TimestampURLs, "") || slices.Contains(s.TimestampRootCerts, "") {
		return Settings{}, reason.Errorf(reason.ConfigSettings, "settings %q have an empty text among timestampUrls or timestampRootCerts", path).
			WithHint("remove it")
	}
	for i, file := range s.TimestampRootCerts {
		if !filepath.IsAbs(file) {
			s.TimestampRootCerts[i] = filepath.Join(d.Config, file)
		}
	}
	return s, nil
}
