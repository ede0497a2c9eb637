package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

func (a *app) pluginCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "plugin",
		Short: "Manage plugins",
		Long: `Manage plugins: programs that sign with keys which this program cannot reach, or
that take part in verifying.

A plugin has all your rights. Install only what you would run.`,
		Example: `  # Which plugins are there, and what can they do
  notation plugin list`,
	}, a.pluginInstallCommand(), a.pluginListCommand(), a.pluginUninstallCommand())
}

// plugins runs the user's plugins, in a directory that must be known.
func (a *app) plugins() (*plugin.Host, error) {
	dirs, _ := a.dirs() // the configuration need not be known
	if dirs.Libexec == "" {
		return nil, errNoPluginDirectory()
	}
	return pluginHost(dirs), nil
}

func errNoPluginDirectory() error {
	return reason.Errorf(reason.ConfigHome, "the directory of the plugins is not known").
		WithHint("set $NOTATION_LIBEXEC to it, or $HOME")
}

// pluginJSON is a plugin in documents: what it says about itself or, if it is
// broken, why it is not usable.
type pluginJSON struct {
	Name         string              `json:"name"`
	Version      string              `json:"version,omitempty"`
	Description  string              `json:"description,omitempty"`
	URL          string              `json:"url,omitempty"`
	Capabilities []plugin.Capability `json:"capabilities,omitempty"`
	Error        *errorJSON          `json:"error,omitempty"`
}

func newPlugin(m plugin.Metadata) pluginJSON {
	return pluginJSON{Name: m.Name, Version: m.Version, Description: m.Description, URL: m.URL, Capabilities: m.Capabilities}
}

// can lists what a plugin can do.
func (p pluginJSON) can() string {
	words := make([]string, len(p.Capabilities))
	for i, c := range p.Capabilities {
		words[i] = string(c)
	}
	return strings.Join(words, ", ")
}

// installOptions are the flags of plugin install.
type installOptions struct {
	file, url, force bool
	sum              string
}

// source says where to install from. Without a flag, what begins like a URL is
// one.
func (o *installOptions) source(a *app, cmd *cobra.Command, from string) (plugin.InstallSource, error) {
	switch {
	case o.file && o.url:
		return plugin.InstallSource{}, a.usage(cmd, reason.UsageFlag, "--file and --url say both what SOURCE is", "give one or the other")
	case o.url, !o.file && urlScheme(from) != "":
		if urlScheme(from) != "https" { // before a checksum is asked for, which would not help
			return plugin.InstallSource{}, reason.Errorf(reason.PluginSource, "plugins are fetched by https only, and %q is no https URL", printableURL(from)).
				WithHint("give a URL that begins with https://, or download the file yourself")
		}
		return plugin.FromURL(from, o.sum), nil
	}
	if _, err := os.Stat(from); err != nil { // before anything is made where plugins are
		return plugin.InstallSource{}, reason.Wrap(reason.PluginSource, pathCause(err), "file %q could not be read", from).WithHint("check the path")
	}
	return plugin.FromFile(from, o.sum), nil
}

// urlScheme returns the scheme of what begins like the URL of a web page, or "".
func urlScheme(s string) string {
	scheme, _, ok := strings.Cut(s, "://")
	if scheme = strings.ToLower(scheme); ok && (scheme == "https" || scheme == "http") {
		return scheme
	}
	return ""
}

func (a *app) pluginInstallCommand() *cobra.Command {
	o := &installOptions{}
	cmd := &cobra.Command{
		Use:   "install SOURCE [flags]",
		Short: "Install or upgrade a plugin",
		Long: `Install a plugin, or put another version in the place of an earlier one.

SOURCE is a program notation-NAME, an archive (.tar.gz, .tgz or .zip) that holds
one, or an https URL of either. From a URL a plugin is installed only with the
checksum that its maker publishes.

The program is run once, to ask what it is. Unless it is a later version than
the one that is there, the command needs --force. Whatever fails, what was
installed stays whole.`,
		Example: `  # Install from an archive
  notation plugin install --file ./notation-example-plugin_1.0.0_linux_amd64.tar.gz

  # Install from a URL
  notation plugin install --url https://example.com/notation-example-plugin.zip --sha256sum 9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Go back to an earlier version
  notation plugin install --force ./notation-example-plugin`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		source, err := o.source(a, cmd, args[0])
		if err != nil {
			return nil, err
		}
		host, err := a.plugins()
		if err != nil {
			return nil, err
		}
		ctx, cancel := a.network(ctx)
		defer cancel()
		installed, err := host.Install(ctx, source, plugin.InstallOptions{Force: o.force})
		if err != nil {
			return nil, withHint(err, "nothing was installed; get the right file from the maker of the plugin, for this system",
				reason.PluginUnsafe, reason.PluginStart, reason.PluginOutput, reason.PluginFailed, reason.PluginMetadata, reason.PluginAnswer)
		}
		return &pluginInstalledDocument{Plugin: newPlugin(installed.Metadata), Path: installed.Path, Previous: installed.Previous}, nil
	})
	f := cmd.Flags()
	f.BoolVar(&o.file, "file", false, "take SOURCE for a file")
	f.BoolVar(&o.url, "url", false, "take SOURCE for a URL, as is done anyway if it begins with https://")
	f.StringVar(&o.sum, "sha256sum", "", "require SOURCE to have this SHA-256 `CHECKSUM`, in hexadecimal")
	f.BoolVar(&o.force, "force", false, "replace a plugin of the same or a later version, or a broken one")
	return cmd
}

// pluginInstalledDocument is the result of plugin install.
type pluginInstalledDocument struct {
	Plugin   pluginJSON `json:"plugin"`
	Path     string     `json:"path"`               // of the program
	Previous string     `json:"previous,omitempty"` // version that was replaced, if it is known
}

func (d *pluginInstalledDocument) text(p *page) {
	if d.Previous == "" {
		p.line("Installed plugin %s %s.", d.Plugin.Name, d.Plugin.Version)
	} else {
		p.line("Installed plugin %s %s in the place of %s.", d.Plugin.Name, d.Plugin.Version, d.Previous)
	}
	p.line("  program %s", d.Path)
	p.line("  can %s", d.Plugin.can())
}

func (a *app) pluginListCommand() *cobra.Command {
	return a.leaf(&cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the plugins",
		Long: `List the installed plugins: name, version, and what each can do. Each is run, to
ask it. Of one that cannot be used it is shown why.`,
		Example: `  # Show all plugins
  notation plugin list`,
	}, 0, 0, func(ctx context.Context, _ []string) (document, error) {
		host, err := a.plugins()
		if err != nil {
			return nil, err
		}
		all, err := host.List(ctx)
		if err != nil {
			return nil, err
		}
		doc := &pluginListDocument{Plugins: make([]pluginJSON, len(all))}
		for i, l := range all {
			if l.Err != nil {
				doc.Plugins[i] = pluginJSON{Name: l.Name, Error: newErrorJSON(l.Err)}
				continue
			}
			doc.Plugins[i] = newPlugin(l.Metadata)
		}
		return doc, nil
	})
}

// pluginListDocument is the result of plugin list.
type pluginListDocument struct {
	Plugins []pluginJSON `json:"plugins"`
}

func (d *pluginListDocument) text(p *page) {
	if len(d.Plugins) == 0 {
		p.line("No plugins. Install one with 'notation plugin install'.")
		return
	}
	rows := [][]cell{row("NAME", "VERSION", "CAPABILITIES")}
	for _, l := range d.Plugins {
		if l.Error == nil {
			rows = append(rows, row(l.Name, l.Version, l.can()))
			continue
		}
		broken := row(l.Name, "broken", "-")
		broken[1].style = bad
		rows = append(rows, broken, row("  "+l.Error.Message+" ["+string(l.Error.Code)+"]"))
	}
	p.table("", rows)
}

func (a *app) pluginUninstallCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:        "uninstall NAME [flags]",
		SuggestFor: []string{"rm", "remove", "delete"},
		Short:      "Uninstall a plugin",
		Long: `Uninstall a plugin and delete everything in its directory. Keys that it holds
stay in the list of keys and cannot be used without it.

Without --yes the command asks first, and refuses if there is nobody to ask.`,
		Example: `  # Uninstall a plugin without being asked
  notation plugin uninstall --yes example-plugin`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		name := args[0]
		host, err := a.plugins()
		if err != nil {
			return nil, err
		}
		if err := isInstalled(host, name); err != nil {
			return nil, err
		}
		if err := a.confirm(ctx, yes, "Uninstall plugin "+name+"?"); err != nil {
			return nil, err
		}
		if err := host.Uninstall(ctx, name); err != nil {
			return nil, err
		}
		a.warnOfKeys(name)
		return &pluginUninstalledDocument{Uninstalled: name}, nil
	})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// isInstalled keeps a question from being asked about nothing.
func isInstalled(host *plugin.Host, name string) error {
	if err := plugin.CheckName(name); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(host.Dir, name)); errors.Is(err, fs.ErrNotExist) {
		return reason.Errorf(reason.PluginNotFound, "no plugin named %s is installed", quote(name)).
			WithHint("see the plugins with 'notation plugin list'")
	}
	return nil
}

// warnOfKeys names the keys that can no longer be used without a plugin.
func (a *app) warnOfKeys(name string) {
	dirs, err := a.dirs()
	if err != nil {
		return
	}
	keys, err := dirs.SigningKeys()
	if err != nil {
		return // not the matter of this command
	}
	for _, k := range keys.All() {
		if k.PluginName == name {
			a.warn("key %q is held by plugin %s and cannot be used without it", k.Name, name)
		}
	}
}

// pluginUninstalledDocument is the result of plugin uninstall.
type pluginUninstalledDocument struct {
	Uninstalled string `json:"uninstalled"` // its name
}

func (d *pluginUninstalledDocument) text(p *page) { p.line("Uninstalled plugin %s.", d.Uninstalled) }
