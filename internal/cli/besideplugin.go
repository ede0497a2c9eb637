package cli

import (
	"os"
	"path/filepath"
	"runtime"
)

// besidePlugin is the plugin of this project that is a program of its own.
const besidePlugin = "pkcs11"

// pluginsBeside returns the plugin that may lie beside this program, where a
// package or "make" has put it. Whoever can write there can replace this program
// as well, so nothing is lost by running what lies there. Only that one name is
// looked for: signatures name plugins, and must not choose among the programs of
// a directory such as /usr/bin. On Windows, where a browser's download is a
// program at once, nothing is looked for; see docs/decisions/pkcs11.md.
func pluginsBeside() map[string]string {
	self, err := os.Executable()
	if err != nil || runtime.GOOS == "windows" {
		return nil
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return nil
	}
	return map[string]string{besidePlugin: filepath.Join(filepath.Dir(self), "notation-"+besidePlugin)}
}
