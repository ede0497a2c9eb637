//go:build unix

package plugin

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
)

// TestCheckedAtEachStart: that a plugin was found says nothing about the next
// time that it is started.
//
// attack: PLG-01
func TestCheckedAtEachStart(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, program string){
		"group may write": func(t *testing.T, program string) { must(t, os.Chmod(filepath.Dir(program), 0o775)) },
		"symbolic link":   func(t *testing.T, program string) { must(t, os.Remove(program)); must(t, os.Symlink(self, program)) },
		"not executable": func(t *testing.T, program string) {
			must(t, os.Remove(program))
			must(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := filepath.Join(t.TempDir(), "record")
			h := answering(t, map[Command]said{CommandDescribeKey: {Out: `{"keyId":"k","keySpec":"EC-256"}`}}, "EXAMPLE_RECORD="+record)
			p := get(t, h)
			if _, err := p.DescribeKey(t.Context(), "k", nil); err != nil {
				t.Fatal(err)
			}
			must(t, os.Remove(record+"."+string(CommandDescribeKey)))
			spoil(t, filepath.Join(h.Dir, "test", fileName("test")))
			_, err := p.DescribeKey(t.Context(), "k", nil)
			refuses(t, err, reason.PluginUnsafe)
			if _, err := os.Stat(record + "." + string(CommandDescribeKey)); err == nil {
				t.Error("the plugin was run")
			}
		})
	}
}

// TestAcceptedPaths: what looks odd and is the user's own setting.
func TestAcceptedPaths(t *testing.T) {
	t.Parallel()
	h := answering(t, map[Command]said{})
	must(t, os.Chmod(h.Dir, 0o755|os.ModeSetgid))
	must(t, os.Chmod(filepath.Join(h.Dir, "test"), 0o755|os.ModeSetgid))
	get(t, h)
	link := filepath.Join(t.TempDir(), "plugins")
	must(t, os.Symlink(h.Dir, link))
	linked := *h
	linked.Dir = link
	get(t, &linked)
}

// TestNearlyDevices: names that only look like those of devices.
func TestNearlyDevices(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"COMA", "com-x", "com-", "LPT_", "coma.io", "xxx1", "xon1"} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
}

// TestMuchErrorMetadata is no error document of the protocol.
//
// attack: PLG-03
func TestMuchErrorMetadata(t *testing.T) {
	t.Parallel()
	for _, n := range []int{maxItems, maxItems + 1} {
		members := make([]string, n)
		for i := range members {
			members[i] = fmt.Sprintf(`"m%d":"x"`, i)
		}
		fault := `{"errorCode":"ERROR","errorMessage":"m","errorMetadata":{` + strings.Join(members, ",") + `}}`
		_, err := answering(t, map[Command]said{CommandMetadata: {Err: fault, Exit: 1}}).Get(context.Background(), "test")
		want := reason.PluginRefused
		if n > maxItems {
			want = reason.PluginFailed
		}
		refuses(t, err, want)
	}
}

// TestOnlyAttributes: a plugin is asked although there is nothing to judge, if
// there is something to process.
//
// attack: PLG-04
func TestOnlyAttributes(t *testing.T) {
	t.Parallel()
	p := get(t, answering(t, map[Command]said{CommandVerifySignature: {Out: `{"verificationResults":{},"processedAttributes":["com.example.b"]}`}}))
	v, err := p.VerifySignature(t.Context(), VerifyRequest{Envelope: verified(t, envelope.MediaTypeJWS, withAttributes)})
	must(t, err)
	if len(v.Results) != 0 || !slices.Equal(v.Processed, []string{"com.example.b"}) || !slices.Equal(v.Unprocessed, []string{"com.example.a"}) {
		t.Errorf("%+v", v)
	}
}

// TestInstallOverDirectory: what cannot be replaced in one step is not replaced.
//
// attack: PLG-05
func TestInstallOverDirectory(t *testing.T) {
	t.Parallel()
	h := NewHost(newDir(t))
	inside := filepath.Join(h.Dir, "p", fileName("p"), "kept")
	mkdir(t, inside)
	done, err := h.Install(t.Context(), FromFile(store(t, "notation-p", program(t, "p", "1.0.0")), ""), InstallOptions{Force: true})
	if err == nil || done != nil {
		t.Errorf("%+v, %v", done, err)
	}
	refuses(t, err, reason.Of(err))
	holds(t, h.Dir, "p")
	if _, err := os.Stat(inside); err != nil {
		t.Error(err)
	}
}

// TestSweep: an installation removes what others left when they died.
//
// attack: FS-04
func TestSweep(t *testing.T) {
	t.Parallel()
	h := NewHost(newDir(t))
	for _, left := range []string{stagePrefix + "1", trashPrefix + "2"} {
		mkdir(t, filepath.Join(h.Dir, left, "p"))
	}
	if listed, err := h.List(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("%v, %v", listed, err)
	}
	_, err := h.Install(t.Context(), FromFile(store(t, "notation-p", program(t, "p", "1.0.0")), ""), InstallOptions{})
	must(t, err)
	holds(t, h.Dir, "p")
}

// TestCompareNoVersions: what the library of versions takes and SemVer does not.
func TestCompareNoVersions(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"2", "2.0", "v2.0.0", "02.0.0", ""} {
		if CompareVersions(s, "0.0.1-a") != -1 {
			t.Errorf("%q is not before every version", s)
		}
	}
}

// TestManyLargeEntries: entries that are small enough one by one.
//
// attack: PLG-05
func TestManyLargeEntries(t *testing.T) {
	t.Parallel()
	data := makeZip(t, item{name: "a", body: "x"}, item{name: "b", body: "y"}, item{name: fileName("p"), body: "z"})
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte("PK\x01\x02"))
		if i < 0 {
			break
		}
		at += i + 4
		binary.LittleEndian.PutUint32(data[at+20:], maxUnpacked/2)
	}
	_, _, err := extract(t, data)
	refuses(t, err, reason.PluginArchive)
	if !strings.Contains(err.Error(), "MiB unpacked") {
		t.Error(err)
	}
}

// TestOnlyCapabilities: a plugin is asked although there is nothing to process,
// if there is something to judge.
//
// attack: PLG-04
func TestOnlyCapabilities(t *testing.T) {
	t.Parallel()
	env := verified(t, envelope.MediaTypeJWS, func(r *envelope.Request) { r.VerificationPlugin = "test" })
	ask := VerifyRequest{Envelope: env, Capabilities: []Capability{CapabilityTrustedIdentity}}
	p := get(t, answering(t, map[Command]said{CommandVerifySignature: {Out: `{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":false,"reason":"no"}}}`}}))
	v, err := p.VerifySignature(t.Context(), ask)
	must(t, err)
	if result, ok := v.Results[CapabilityTrustedIdentity]; !ok || result.Success || len(v.Results) != 1 {
		t.Errorf("%+v", v)
	}
	p = get(t, answering(t, map[Command]said{CommandVerifySignature: {Out: `{}`}}))
	_, err = p.VerifySignature(t.Context(), ask)
	refuses(t, err, reason.PluginVerification)
}
