package plugin

import (
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// attack: PLG-04
func TestMetadataRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(m *Metadata)
		code   reason.Code
	}{
		"other name":           {func(m *Metadata) { m.Name = "other" }, reason.PluginMetadata},
		"name in other case":   {func(m *Metadata) { m.Name = "Test" }, reason.PluginMetadata},
		"name that is a path":  {func(m *Metadata) { m.Name = "../test" }, reason.PluginMetadata},
		"no name":              {func(m *Metadata) { m.Name = "" }, reason.PluginMetadata},
		"no description":       {func(m *Metadata) { m.Description = "" }, reason.PluginMetadata},
		"escape sequence":      {func(m *Metadata) { m.Description = "\x1b[2J" }, reason.PluginMetadata},
		"bidi override":        {func(m *Metadata) { m.Description = "a\u202eb" }, reason.PluginMetadata},
		"long description":     {func(m *Metadata) { m.Description = strings.Repeat("x", maxText+1) }, reason.PluginMetadata},
		"no url":               {func(m *Metadata) { m.URL = "" }, reason.PluginMetadata},
		"no version":           {func(m *Metadata) { m.Version = "" }, reason.PluginMetadata},
		"version with v":       {func(m *Metadata) { m.Version = "v1.0.0" }, reason.PluginMetadata},
		"short version":        {func(m *Metadata) { m.Version = "1.0" }, reason.PluginMetadata},
		"version with zero":    {func(m *Metadata) { m.Version = "1.02.0" }, reason.PluginMetadata},
		"bad pre-release":      {func(m *Metadata) { m.Version = "1.0.0-01" }, reason.PluginMetadata},
		"no contract":          {func(m *Metadata) { m.SupportedContractVersions = nil }, reason.PluginContract},
		"other contract":       {func(m *Metadata) { m.SupportedContractVersions = []string{"1", "1.00", "2.0"} }, reason.PluginContract},
		"many contracts":       {func(m *Metadata) { m.SupportedContractVersions = make([]string, maxItems+1) }, reason.PluginMetadata},
		"no capability":        {func(m *Metadata) { m.Capabilities = nil }, reason.PluginMetadata},
		"unknown capability":   {func(m *Metadata) { m.Capabilities = append(m.Capabilities, "SIGNATURE_GENERATOR") }, reason.PluginMetadata},
		"capability in case":   {func(m *Metadata) { m.Capabilities = []Capability{"signature_generator.raw"} }, reason.PluginMetadata},
		"capability twice":     {func(m *Metadata) { m.Capabilities = []Capability{CapabilityRaw, CapabilityRaw} }, reason.PluginMetadata},
		"a lot of capabilites": {func(m *Metadata) { m.Capabilities = make([]Capability, maxItems+1) }, reason.PluginMetadata},
	} {
		m := goodMetadata("test", CapabilityRaw)
		tt.change(&m)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, map[Command]said{CommandMetadata: {Out: toJSON(t, m)}}).Get(t.Context(), "test")
			refuses(t, err, tt.code)
		})
	}
	if _, err := parseMetadata([]byte(`{"name":1}`), "test"); reason.Of(err) != reason.PluginAnswer {
		t.Error(err)
	}
}

// attack: PLG-04
func TestMinimumVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		have, min string
		ok        bool
	}{
		{"1.2.3", "", true},
		{"1.2.3", "1.2.3", true},
		{"1.2.3", "1.2.2", true},
		{"1.10.0", "1.9.0", true},
		{"1.2.3+build", "1.2.3", true},
		{"1.2.3", "1.2.3+build", true},
		{"1.2.3", "1.2.3-rc.1", true},
		{"1.2.3-rc.10", "1.2.3-rc.9", true},
		{"1.2.3-rc.1", "1.2.3-rc", true},
		{"1.2.3-alpha.beta", "1.2.3-alpha.1", true},
		{"1.2.3", "1.2.4", false},
		{"1.2.3", "2.0.0", false},
		{"1.9.0", "1.10.0", false},
		{"1.2.3-rc.1", "1.2.3", false},
		{"1.2.3-rc.9", "1.2.3-rc.10", false},
		{"1.2.3-alpha", "1.2.3-beta", false},
		{"1.2.3", "v1.2.3", false},
		{"1.2.3", "1", false},
		{"1.2.3", "\x1b", false},
	} {
		p := &Plugin{name: "test", metadata: Metadata{Version: tt.have}}
		err := p.Meets(tt.min)
		if tt.ok && err != nil {
			t.Errorf("%s, at least %s: %v", tt.have, tt.min, err)
		} else if !tt.ok {
			refuses(t, err, reason.PluginVersion)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	t.Parallel()
	// The order of SemVer 2.0.0 section 11.4, after what is no version.
	order := []string{
		"nonsense", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
		"1.0.0", "1.0.1", "2.0.0", "2.1.0", "18446744073709551616.0.0",
	}
	if !slices.IsSortedFunc(order, CompareVersions) {
		t.Error("not in order")
	}
	for i := range order[1:] {
		if CompareVersions(order[i], order[i+1]) != -1 {
			t.Errorf("%s is not before %s", order[i], order[i+1])
		}
	}
}
