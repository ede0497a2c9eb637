package plugin

import (
	"slices"

	"golang.org/x/mod/semver"

	"github.com/notaryv2/notation/reason"
)

// parseMetadata reads and checks the answer to get-plugin-metadata of the
// plugin that is installed under name.
func parseMetadata(data []byte, name string) (Metadata, error) {
	var m Metadata
	if err := decode(data, &m); err != nil {
		return Metadata{}, malformed(CommandMetadata, err)
	}
	if err := m.check(); err != nil {
		return Metadata{}, err
	}
	if m.Name != name {
		return Metadata{}, badMetadata("it says that its name is %s", quote(m.Name))
	}
	return m, nil
}

func badMetadata(format string, args ...any) *reason.Error {
	return reason.Errorf(reason.PluginMetadata, "the plugin's metadata is wrong: "+format, args...).
		WithHint("Install the right file, or tell the maker of the plugin.")
}

// check holds metadata against the rules of the protocol.
func (m *Metadata) check() error {
	for _, text := range []struct{ member, value string }{
		{"name", m.Name}, {"description", m.Description}, {"version", m.Version}, {"url", m.URL},
	} {
		if text.value == "" || len(text.value) > maxText || !printable(text.value) {
			return badMetadata("the member %s is missing, too long or not printable", text.member)
		}
	}
	if !wellFormed(m.Name) {
		return badMetadata("%s is no name of a plugin", quote(m.Name))
	}
	if !isVersion(m.Version) {
		return badMetadata("%s is not a semantic version", quote(m.Version))
	}
	if len(m.SupportedContractVersions) > maxItems || len(m.Capabilities) > maxItems {
		return badMetadata("a list in it has more than %d items", maxItems)
	}
	if !slices.Contains(m.SupportedContractVersions, ContractVersion) {
		return reason.Errorf(reason.PluginContract, "the plugin does not speak version %s of the plugin protocol", ContractVersion).
			WithHint("Install a version of the plugin that does.")
	}
	if len(m.Capabilities) == 0 {
		return badMetadata("it has no capability")
	}
	for i, c := range m.Capabilities {
		if !c.known() {
			return badMetadata("the capability %s does not exist", quote(string(c)))
		}
		if slices.Contains(m.Capabilities[:i], c) {
			return badMetadata("the capability %s is given twice", c)
		}
	}
	return nil
}

func (m *Metadata) clone() Metadata {
	c := *m
	c.SupportedContractVersions = slices.Clone(m.SupportedContractVersions)
	c.Capabilities = slices.Clone(m.Capabilities)
	return c
}

// isVersion reports whether s is a version by SemVer 2.0.0, in full: the
// library also takes v1 and v1.2.
func isVersion(s string) bool {
	v := "v" + s
	return semver.IsValid(v) && semver.Canonical(v)+semver.Build(v) == v
}

// CompareVersions orders two versions by SemVer 2.0.0 section 11: -1, 0 or 1. A
// pre-release goes before its release, and build metadata does not count. What
// is no version goes before everything that is.
func CompareVersions(a, b string) int { return semver.Compare(precedence(a), precedence(b)) }

func precedence(s string) string {
	if !isVersion(s) {
		return ""
	}
	return "v" + s
}

// Meets returns an error with the code plugin.version if the plugin is older
// than minVersion, or if that is no version. "" means any.
func (p *Plugin) Meets(minVersion string) error {
	switch {
	case minVersion == "":
		return nil
	case !isVersion(minVersion):
		return reason.Errorf(reason.PluginVersion, "the minimum version %s of the plugin %s is not a semantic version", quote(minVersion), p.name)
	case CompareVersions(p.metadata.Version, minVersion) < 0:
		return reason.Errorf(reason.PluginVersion, "the plugin %s has version %s, and %s is the least that will do", p.name, p.metadata.Version, minVersion).
			WithHint("Install a later version of the plugin.")
	}
	return nil
}
