package remote

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// TestLinkedDockerConfig checks that a login is written to the file behind a
// symbolic link, and the link stays.
func TestLinkedDockerConfig(t *testing.T) {
	t.Parallel()
	for name, docker := range map[string]string{"file": `{"auths":{"x":{}},"keep":"me"}`, "platform's helper": `{"keep":"me"}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := dockerFile(t, docker)
			link := filepath.Join(t.TempDir(), "config.json")
			if err := os.Symlink(target, link); err != nil {
				t.Skip(err)
			}
			s := NewCredentialStore(StoreOptions{DockerConfig: link})
			registry := strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", "") + "-linked.example"
			saved, err := s.Save(t.Context(), registry, Credential{Username: "alice", Password: "secret-word"})
			if err != nil || !strings.Contains(saved.Where, link) {
				t.Fatalf("got %+v, %v", saved, err)
			}
			check := func() {
				if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
					t.Errorf("the link was replaced: %v", err)
				}
			}
			check()
			if text, err := os.ReadFile(target); err != nil || string(text) == docker || !strings.Contains(string(text), `"keep"`) {
				t.Errorf("the file holds %s, %v", text, err)
			}
			if removed, err := s.Delete(t.Context(), registry); err != nil || len(removed) != 1 {
				t.Errorf("removed %q, %v", removed, err)
			}
			check()
		})
	}
	link := filepath.Join(t.TempDir(), "config.json")
	if err := os.Symlink(filepath.Join(t.TempDir(), "nothing"), link); err != nil {
		t.Skip(err)
	}
	_, err := NewCredentialStore(StoreOptions{DockerConfig: link}).Save(t.Context(), "x.example", Credential{Username: "alice", Password: "secret-word"})
	wantCode(t, err, reason.RegistryCredentials)
	if !strings.Contains(err.Error(), "a symbolic link to nothing") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Readlink(link); err != nil {
		t.Error(err)
	}
}

// TestSpecialDockerConfig checks that a file which is none is not opened.
//
// attack: FS-01
func TestSpecialDockerConfig(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "config.json")
	paths := []string{os.DevNull, t.TempDir()}
	if err := mkfifo(fifo); err == nil {
		link := filepath.Join(t.TempDir(), "config.json")
		if err := os.Symlink(fifo, link); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, fifo, link)
	}
	for _, path := range paths {
		s := NewCredentialStore(StoreOptions{DockerConfig: path})
		_, findErr := s.Find(t.Context(), "x.example")
		_, saveErr := s.Save(t.Context(), "x.example", Credential{Username: "alice", Password: "secret-word"})
		_, deleteErr := s.Delete(t.Context(), "x.example")
		for _, err := range []error{findErr, saveErr, deleteErr} {
			wantCode(t, err, reason.RegistryCredentials)
			if !strings.Contains(err.Error(), "no regular file") {
				t.Errorf("%s: got %v", path, err)
			}
		}
	}
}
