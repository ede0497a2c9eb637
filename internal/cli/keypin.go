package cli

import (
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// openPINFile returns a fault if others may use the file that the id of a key on
// a PKCS #11 token names as the source of its PIN (RFC 7512, section 2.4). The
// plugin looks at it, too, but the plugin protocol has no place for a warning
// beside an answer. What is wrong with the id or the file is for the plugin to
// say.
func openPINFile(plugin, id string) *reason.Error {
	const groupAndOthers = 0o077
	if plugin != besidePlugin || runtime.GOOS == "windows" {
		return nil
	}
	_, query, _ := strings.Cut(id, "?")
	for item := range strings.SplitSeq(query, "&") {
		value, ok := strings.CutPrefix(item, "pin-source=")
		path, err := url.PathUnescape(value)
		if !ok || err != nil {
			continue
		}
		path = strings.TrimPrefix(path, "file:")
		if local, ok := strings.CutPrefix(path, "//"); ok {
			path = strings.TrimPrefix(local, "localhost")
		}
		info, err := os.Stat(path)
		if err != nil || !filepath.IsAbs(path) || info.Mode().Perm()&groupAndOthers == 0 {
			continue
		}
		return reason.Errorf(reason.DoctorMode, "file %q with the PIN may be used by other users (mode %04o)", path, info.Mode().Perm()).
			WithHint("take the permission away: chmod 0600 %s", path)
	}
	return nil
}

// warnPINFile warns of such a file.
func (a *app) warnPINFile(plugin, id string) {
	if fault := openPINFile(plugin, id); fault != nil {
		a.warn("%s", fault)
	}
}
