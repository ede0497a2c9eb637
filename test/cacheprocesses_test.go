package test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
)

// TestManyProcessesShareACache has processes verify at once, in a cache directory
// that one after another fills, reads, tidies, and that somebody spoils and removes
// meanwhile. Each of them decides as one would alone, and nothing that is kept can
// be read by others.
//
// attack: REV-04
// attack: REG-02
func TestManyProcessesShareACache(t *testing.T) {
	t.Parallel()
	const processes, rounds = 6, 4
	program, err := toolbox.Release()
	if err != nil {
		t.Fatal(err)
	}
	r := registries.New(t, registries.GGCR, registries.Options{Auth: registries.Bearer})
	h, stranger := newHome(t), newHome(t)
	for _, who := range []*home{h, stranger} {
		login(t, who, r.Host())
	}
	want := map[string]int{}
	for i := range 4 {
		for kind, code := range map[string]int{"good": 0, "strange": 1, "bare": 4} {
			name := fmt.Sprintf("%s/%s:%d", r.Host(), kind, i)
			repo, err := fixture.Repository(name, registries.Username, registries.Password)
			if err != nil {
				t.Fatal(err)
			}
			d, err := fixture.PushImage(t.Context(), repo, kind+fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			ref := r.Host() + "/" + kind + "@" + d.Digest.String()
			switch kind {
			case "good":
				h.run(t, program, "sign", ref)
			case "strange":
				stranger.run(t, program, "sign", ref)
			}
			want[ref] = code
		}
	}
	certificate := filepath.Join(h.dir, ".config/notation/certificate/wabbit-networks.io.crt")
	cache := filepath.Join(t.TempDir(), "cache")
	h.env = append(h.env, "NOTATION_CACHE="+cache)
	verify := func() {
		for ref, code := range want {
			_, err := h.try(t.Context(), program, "verify", "--ca-cert", certificate, ref)
			got := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				got = exit.ExitCode()
			}
			if got != code {
				t.Errorf("exit %d, want %d: %v", got, code, err)
			}
		}
	}
	verify()
	if !keeps(t, cache, "tokens") || !keeps(t, cache, "content") {
		t.Error("no token or no content is kept")
	}
	var running sync.WaitGroup
	for range processes {
		running.Go(func() {
			for range rounds {
				verify()
				spoil(cache) // while the others go on
			}
		})
	}
	running.Wait()
	verify()
}

// login has Docker's configuration of a home hold the login of a registry.
func login(t *testing.T, h *home, host string) {
	t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte(registries.Username + ":" + registries.Password))
	dir := filepath.Join(h.dir, ".docker")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, host, auth), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// keeps reports whether there are files in a directory of the cache, none of which
// others may read.
func keeps(t *testing.T, cache, dir string) (some bool) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(cache, dir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		some = true
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return some
}

// spoil removes some files, swaps and cuts some, and now and then removes everything.
func spoil(cache string) {
	var files []string
	_ = filepath.WalkDir(cache, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, path)
		}
		return nil
	})
	for _, path := range files {
		switch rand.IntN(8) {
		case 0:
			_ = os.Remove(path)
		case 1:
			_ = os.Rename(path, files[rand.IntN(len(files))])
		case 2:
			_ = os.Truncate(path, 10)
		}
	}
	if rand.IntN(8) == 0 {
		_ = os.RemoveAll(cache)
	}
}
