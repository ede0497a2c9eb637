package cli

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return a.leaf(&cobra.Command{
		Use:   "version",
		Short: "Show the version of this program",
		Long:  "Show the version of this program, the commit that it was built from, and the Go version that built it.",
		Example: `  # Show the version
  notation version`,
	}, 0, 0, func(context.Context, []string) (document, error) { return buildVersion(), nil })
}

// versionDocument is the result of version.
type versionDocument struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"` // with "-dirty" if files were changed; "unknown" outside of a repository
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

// buildVersion reads what the Go command has recorded in the program.
func buildVersion() *versionDocument {
	v := &versionDocument{Version: "devel", Commit: "unknown", GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if m := info.Main.Version; m != "" && m != "(devel)" {
		v.Version = strings.TrimPrefix(m, "v")
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	v.Commit += dirty
	return v
}

func (d *versionDocument) text(p *page) {
	p.table("", [][]cell{
		row("version", d.Version),
		row("commit", d.Commit),
		row("Go version", d.GoVersion),
		row("platform", d.Platform),
	})
}
