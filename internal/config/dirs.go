package config

import (
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// Dirs are the directories of one user. The zero value is none.
type Dirs struct {
	Config  string // what the user decided
	Cache   string // safe to delete; "" if not known
	Libexec string // plugins; "" if not known
}

// Locate finds the directories for an operating system, named as GOOS is, from
// its environment variables: $NOTATION_CONFIG, $NOTATION_CACHE and
// $NOTATION_LIBEXEC, else "notation" in the user's directories for
// configuration and caches. On Unix those follow the XDG base directory
// specification, which has a relative $XDG_CONFIG_HOME ignored.
//
// The error has the code config.home; it means that there is no way to tell
// where the configuration is. The other directories may be known all the same.
func Locate(goos string, getenv func(string) string) (Dirs, error) {
	config, cache := userDirs(goos, getenv)
	d := Dirs{
		Config:  override(getenv("NOTATION_CONFIG"), config),
		Cache:   override(getenv("NOTATION_CACHE"), cache),
		Libexec: override(getenv("NOTATION_LIBEXEC"), config),
	}
	if d.Config == "" {
		return d, reason.Errorf(reason.ConfigHome, "the home directory is not known").
			WithHint("set %s, or $NOTATION_CONFIG to the directory of the configuration", homeVariable(goos))
	}
	return d, nil
}

func homeVariable(goos string) string {
	if goos == "windows" {
		return "%AppData%"
	}
	return "$HOME"
}

// userDirs returns the user's directories for this program, "" if unknown.
func userDirs(goos string, getenv func(string) string) (config, cache string) {
	home := override(getenv("HOME"), "") // absolute, as paths below it are recorded
	switch goos {
	case "windows":
		config, cache = getenv("AppData"), getenv("LocalAppData")
	case "darwin", "ios":
		config, cache = under(home, "Library", "Application Support"), under(home, "Library", "Caches")
	default:
		config, cache = under(home, ".config"), under(home, ".cache")
		if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
			config = dir
		}
		if dir := getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
			cache = dir
		}
	}
	return under(config, "notation"), under(cache, "notation")
}

func under(dir string, elem ...string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

// override returns what the user has set, made absolute because paths in it
// are recorded, or else the usual directory.
func override(set, usual string) string {
	if set == "" {
		return usual
	}
	if abs, err := filepath.Abs(set); err == nil {
		return abs
	}
	return set
}

// SettingsFile returns the path of config.json.
func (d Dirs) SettingsFile() string { return filepath.Join(d.Config, "config.json") }

// SigningKeysFile returns the path of signingkeys.json.
func (d Dirs) SigningKeysFile() string { return filepath.Join(d.Config, "signingkeys.json") }

// Plugins returns the directory that holds the plugins by name, "" if it is not
// known.
func (d Dirs) Plugins() string { return under(d.Libexec, "plugins") }

// LocalKey returns the paths of a test key and its certificate.
func (d Dirs) LocalKey(name string) (key, cert string) {
	base := filepath.Join(d.Config, "localkeys", name)
	return base + ".key", base + ".crt"
}

// TestCertificate returns the path of the copy of a test key's certificate.
func (d Dirs) TestCertificate(name string) string {
	return filepath.Join(d.Config, "certificate", name+".crt")
}

// TrustStore returns the directory that holds the trust stores by type.
func (d Dirs) TrustStore() string { return filepath.Join(d.Config, "truststore", "x509") }

// Store returns the directory of one trust store.
func (d Dirs) Store(ref trust.StoreRef) string {
	return filepath.Join(d.TrustStore(), ref.Type.String(), ref.Name)
}

// PolicyFile is [Dirs.PolicyFileOf] for artifacts in registries.
func (d Dirs) PolicyFile() string { return d.PolicyFileOf(trust.OCIPolicy) }

// PolicyFileOf returns the path at which the trust policy of a kind is written.
func (d Dirs) PolicyFileOf(kind trust.Kind) string {
	return filepath.Join(d.Config, "trustpolicy."+kind.String()+".json")
}

// olderPolicyFile returns the path at which a trust policy is read, too, or "".
func (d Dirs) olderPolicyFile(kind trust.Kind) string {
	if kind != trust.OCIPolicy {
		return ""
	}
	return filepath.Join(d.Config, "trustpolicy.json")
}

// CheckName reports, with code config.name, a name of a key that cannot be
// part of a file's name on some system, or that a shell or a command line
// takes for something else. It is refused everywhere.
func CheckName(name string) error {
	fail := func(why string) error {
		return reason.Errorf(reason.ConfigName, "%q is no name for a key", name).WithHint("%s", why)
	}
	switch {
	case strings.HasPrefix(name, "-") || strings.HasPrefix(name, "."):
		return fail("begin the name with a letter or a digit")
	case len(name) > maxNameBytes:
		return reason.Errorf(reason.ConfigName, "the name of the key is longer than %d bytes", maxNameBytes).WithHint("choose a shorter name")
	}
	if err := trust.CheckStoreName(name); err != nil {
		return fail("use letters, digits and the characters _ . - only, no dot at the end, and no name that Windows reserves")
	}
	return nil
}
