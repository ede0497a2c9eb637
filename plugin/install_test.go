//go:build unix

package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// program returns a plugin as a script.
func program(t testing.TB, name, version string) []byte {
	t.Helper()
	m := goodMetadata(name, CapabilityRaw)
	m.Version = version
	return []byte("#!/bin/sh\ncat >/dev/null\necho '" + toJSON(t, m) + "'\n")
}

// store writes a file to install from.
func store(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, data, 0o600))
	return path
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// version returns the version of the plugin "p", or "" if there is none.
func version(t testing.TB, h *Host) string {
	t.Helper()
	p, err := h.Get(t.Context(), "p")
	if reason.Of(err) == reason.PluginNotFound {
		return ""
	}
	must(t, err)
	return p.Metadata().Version
}

func TestInstall(t *testing.T) {
	t.Parallel()
	h := NewHost(filepath.Join(t.TempDir(), "a", "plugins"))
	for _, tt := range []struct {
		version string
		force   bool
		code    reason.Code
		has     string // afterwards
	}{
		{"1.0.0-rc.1", false, "", "1.0.0-rc.1"},
		{"1.0.0", false, "", "1.0.0"},
		{"1.0.0-rc.2", false, reason.PluginInstalled, "1.0.0"},
		{"1.0.0", false, reason.PluginInstalled, "1.0.0"},
		{"1.0.0+build", false, reason.PluginInstalled, "1.0.0"},
		{"1.10.0", false, "", "1.10.0"},
		{"1.9.0", false, reason.PluginInstalled, "1.10.0"},
		{"1.9.0", true, "", "1.9.0"},
	} {
		before := ""
		if p, err := h.Get(t.Context(), "p"); err == nil {
			before = p.Metadata().Version
		}
		data := program(t, "p", tt.version)
		done, err := h.Install(t.Context(), FromFile(store(t, "notation-p", data), strings.ToUpper(sum(data))), InstallOptions{Force: tt.force})
		if tt.code != "" {
			refuses(t, err, tt.code)
		} else {
			must(t, err)
			if done.Metadata.Version != tt.version || done.Previous != before || done.Path != filepath.Join(h.Dir, "p", "notation-p") {
				t.Errorf("%+v, want %+v after %s", done, tt, before)
			}
		}
		if got := version(t, h); got != tt.has {
			t.Errorf("%s is installed, want %s", got, tt.has)
		}
		holds(t, h.Dir, "p")
		holds(t, filepath.Join(h.Dir, "p"), "notation-p")
	}
	must(t, h.Uninstall(t.Context(), "p"))
	holds(t, h.Dir)
	refuses(t, h.Uninstall(t.Context(), "p"), reason.PluginNotFound)
	refuses(t, (&Host{}).Uninstall(t.Context(), "p"), reason.PluginNotFound)
}

func TestInstallOverBroken(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(h *Host, dir, program string){
		"no answer":     func(_ *Host, _, program string) { must(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755)) },
		"symbolic link": func(_ *Host, _, program string) { must(t, os.Remove(program)); must(t, os.Symlink("/bin/sh", program)) },
		"empty":         func(_ *Host, _, program string) { must(t, os.Remove(program)) },
		"link to directory": func(_ *Host, dir, program string) {
			must(t, os.RemoveAll(dir))
			must(t, os.Symlink(t.TempDir(), dir))
		},
	} {
		h := NewHost(newDir(t))
		source := FromFile(store(t, "notation-p", program(t, "p", "1.0.0")), "")
		_, err := h.Install(t.Context(), source, InstallOptions{})
		must(t, err)
		spoil(h, filepath.Join(h.Dir, "p"), filepath.Join(h.Dir, "p", "notation-p"))
		_, err = h.Install(t.Context(), source, InstallOptions{})
		if name == "empty" {
			must(t, err)
			continue
		}
		refuses(t, err, reason.PluginInstalled)
		_, err = h.Install(t.Context(), source, InstallOptions{Force: true})
		if name == "link to directory" {
			refuses(t, err, reason.PluginUnsafe)
			must(t, h.Uninstall(t.Context(), "p"))
			holds(t, h.Dir)
			continue
		}
		must(t, err)
		if got := version(t, h); got != "1.0.0" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// attack: PLG-05
func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	good := program(t, "p", "2.0.0")
	fifo := filepath.Join(t.TempDir(), "notation-p")
	must(t, exec.Command("mkfifo", fifo).Run())
	for name, tt := range map[string]struct {
		source InstallSource
		code   reason.Code
	}{
		"nothing":            {InstallSource{}, reason.PluginSource},
		"no file":            {FromFile(filepath.Join(t.TempDir(), "none"), ""), reason.PluginSource},
		"directory":          {FromFile(t.TempDir(), ""), reason.PluginSource},
		"FIFO":               {FromFile(fifo, ""), reason.PluginSource},
		"bad checksum":       {FromFile(store(t, "notation-p", good), "abc"), reason.PluginSource},
		"short checksum":     {FromFile(store(t, "notation-p", good), "abcd"), reason.PluginSource},
		"checksum mismatch":  {FromFile(store(t, "notation-p", good), sum(nil)), reason.PluginChecksum},
		"wrong name":         {FromFile(store(t, "plugin", good), ""), reason.PluginSource},
		"path as name":       {FromFile(store(t, "notation-..", good), ""), reason.PluginSource},
		"no archive":         {FromFile(store(t, "notation-p.tar.gz", good), ""), reason.PluginSource},
		"empty":              {FromFile(store(t, "notation-p", nil), ""), reason.PluginStart},
		"other name":         {FromFile(store(t, "notation-q", good), ""), reason.PluginMetadata},
		"no plugin":          {FromFile(store(t, "notation-p", []byte("#!/bin/sh\nexit 1\n")), ""), reason.PluginFailed},
		"URL, no checksum":   {FromURL("https://example.com/notation-p", ""), reason.PluginSource},
		"URL, http":          {FromURL("http://example.com/notation-p", sum(good)), reason.PluginSource},
		"URL, file":          {FromURL("file:///notation-p", sum(good)), reason.PluginSource},
		"URL, no scheme":     {FromURL("example.com/notation-p", sum(good)), reason.PluginSource},
		"URL, no host":       {FromURL("https:///notation-p", sum(good)), reason.PluginSource},
		"URL, opaque":        {FromURL("https:notation-p", sum(good)), reason.PluginSource},
		"URL, malformed":     {FromURL("https://%zz/", sum(good)), reason.PluginSource},
		"URL, with password": {FromURL("https://u:p@example.com/notation-p", sum(good)), reason.PluginSource},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := NewHost(newDir(t))
			_, err := h.Install(t.Context(), FromFile(store(t, "notation-p", program(t, "p", "1.0.0")), ""), InstallOptions{})
			must(t, err)
			done, err := h.Install(t.Context(), tt.source, InstallOptions{Force: true})
			refuses(t, err, tt.code)
			if done != nil {
				t.Error("there is a result")
			}
			holds(t, h.Dir, "p")
			if got := version(t, h); got != "1.0.0" {
				t.Errorf("%s is installed", got)
			}
		})
	}
}

// attack: PLG-05
func TestInstallFromURL(t *testing.T) {
	t.Parallel()
	good := program(t, "p", "1.0.0")
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(good) }))
	t.Cleanup(plain.Close)
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	redirect := func(from, to string) { mux.Handle(from, http.RedirectHandler(to, http.StatusFound)) }
	mux.HandleFunc("/good/notation-p", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Referer") != "" || r.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%v", r.Header)
		}
		_, _ = w.Write(good)
	})
	redirect("/moved/notation-p", "/good/notation-p")
	redirect("/downgraded/notation-p", plain.URL+"/notation-p")
	redirect("/loop/notation-p", "/loop/notation-p")
	redirect("/user/notation-p", strings.Replace(server.URL, "https://", "https://u:p@", 1)+"/good/notation-p")
	mux.HandleFunc("/large/notation-p", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(maxDownload+1))
	})
	mux.HandleFunc("/cut/notation-p", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(good)+1))
		_, _ = w.Write(good)
	})
	mux.HandleFunc("/page/notation-p", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	for path, code := range map[string]reason.Code{
		"/good/notation-p": "", "/moved/notation-p": "", "/good/notation-p?ticket=x": "",
		"/downgraded/notation-p": reason.PluginSource,
		"/user/notation-p":       reason.PluginSource,
		"/loop/notation-p":       reason.PluginSource,
		"/large/notation-p":      reason.PluginSource,
		"/missing/notation-p":    reason.PluginDownload,
		"/cut/notation-p":        reason.PluginDownload,
		"/page/notation-p":       reason.PluginChecksum,
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			h := NewHost(newDir(t))
			_, err := h.Install(t.Context(), FromURL(server.URL+path, sum(good)), InstallOptions{Client: server.Client()})
			if code == "" {
				must(t, err)
				holds(t, h.Dir, "p")
				return
			}
			refuses(t, err, code)
			holds(t, h.Dir)
			if strings.Contains(err.Error(), "ticket") {
				t.Errorf("%v shows the query", err)
			}
		})
	}
	t.Run("unknown authority", func(t *testing.T) {
		t.Parallel()
		h := NewHost(newDir(t))
		_, err := h.Install(t.Context(), FromURL(server.URL+"/good/notation-p?ticket=x", sum(good)), InstallOptions{})
		refuses(t, err, reason.PluginDownload)
		if strings.Contains(err.Error(), "ticket") {
			t.Errorf("%v shows the query", err)
		}
	})
}

// A download that is interrupted leaves nothing.
func TestInstallInterrupted(t *testing.T) {
	t.Parallel()
	for _, early := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !early {
				_, _ = io.WriteString(w, "#!")
				_ = http.NewResponseController(w).Flush()
			}
			cancel()
			<-r.Context().Done()
		}))
		t.Cleanup(server.Close)
		h := NewHost(newDir(t))
		_, err := h.Install(ctx, FromURL(server.URL+"/notation-p", sum(nil)), InstallOptions{Client: server.Client()})
		refuses(t, err, reason.PluginInterrupted)
		holds(t, h.Dir)
	}
}

func TestInstallTwoAtOnce(t *testing.T) {
	t.Parallel()
	h := NewHost(newDir(t))
	var group sync.WaitGroup
	for i := range 4 {
		path := store(t, "notation-p", program(t, "p", fmt.Sprintf("1.0.%d", i)))
		group.Go(func() {
			if _, err := h.Install(t.Context(), FromFile(path, ""), InstallOptions{Force: true}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if !strings.HasPrefix(version(t, h), "1.0.") {
		t.Error("nothing is installed")
	}
	holds(t, h.Dir, "p")
}

func TestInstallDirectory(t *testing.T) {
	t.Parallel()
	source := FromFile(store(t, "notation-p", program(t, "p", "1.0.0")), "")
	_, err := (&Host{}).Install(t.Context(), source, InstallOptions{})
	refuses(t, err, reason.PluginDirectory)
	open := newDir(t)
	must(t, os.Chmod(open, 0o777))
	_, err = NewHost(open).Install(t.Context(), source, InstallOptions{})
	refuses(t, err, reason.PluginUnsafe)
	holds(t, open)
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err = NewHost(file).Install(t.Context(), source, InstallOptions{})
	refuses(t, err, reason.PluginWrite)

	h := NewHost(newDir(t))
	_, err = h.Install(t.Context(), source, InstallOptions{})
	must(t, err)
	for _, step := range []string{"directory", "remove"} {
		h.before = func(s string) error {
			if s == step {
				return io.ErrShortWrite
			}
			return nil
		}
		refuses(t, h.Uninstall(t.Context(), "p"), reason.PluginWrite)
		if version(t, h) != "1.0.0" {
			t.Error("the plugin is gone")
		}
	}
	h.before = func(s string) error {
		if s == "remove" {
			return os.RemoveAll(filepath.Join(h.Dir, "p")) // by another program
		}
		return nil
	}
	refuses(t, h.Uninstall(t.Context(), "p"), reason.PluginNotFound)
}
