package test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"go.yaml.in/yaml/v3"
)

// auditJob is what the test needs of deploy/audit/job.yaml.
type auditJob struct {
	Kind string `yaml:"kind"`
	Spec struct {
		CompletionMode   string `yaml:"completionMode"`
		Completions      int    `yaml:"completions"`
		MaxFailedIndexes int    `yaml:"maxFailedIndexes"`
		Template         struct {
			Spec struct {
				Containers []struct {
					Command      []string `yaml:"command"`
					Args         []string `yaml:"args"`
					VolumeMounts []struct {
						MountPath string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				} `yaml:"containers"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

func readAuditJob(t *testing.T) auditJob {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(toolbox.Root(), "deploy/audit/job.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var job auditJob
	if err := yaml.Unmarshal(raw, &job); err != nil {
		t.Fatal(err)
	}
	if job.Kind != "Job" || job.Spec.CompletionMode != "Indexed" || len(job.Spec.Template.Spec.Containers) != 1 || job.Spec.MaxFailedIndexes != job.Spec.Completions {
		t.Fatalf("%+v", job)
	}
	return job
}

// TestAuditJob runs every index of the Kubernetes job here, with the paths of its
// volumes in a directory of its own. Together the shards find what one run finds,
// each artifact once, and the merged records give the same report.
func TestAuditJob(t *testing.T) {
	t.Parallel()
	job := readAuditJob(t)
	r := registries.New(t, registries.Distribution, registries.Options{})
	chain := testpki.New(t, testpki.Options{Name: "us.example"})
	key, err := signer.New(chain.Key, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	const repositories, builds = 12, 24
	for i := range repositories + builds {
		name := fmt.Sprintf("team-%d/app:v1", i)
		if i >= repositories { // one repository is much larger than the others
			name = fmt.Sprintf("large/app:build-%d", i)
		}
		ref := pushNamed(t, r, name)
		if i%4 == 0 {
			continue // is not signed
		}
		if _, err := notation.Sign(t.Context(), open(t, ref, registries.Anonymous), ref, key, notation.SignOptions{}); err != nil {
			t.Fatal(err)
		}
	}

	program, err := toolbox.Product()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	volumes := newAuditVolumes(t, root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain.Root().Raw}))
	audit := func(code int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = []string{"HOME=" + root, "NOTATION_CACHE=" + filepath.Join(root, "cache"), "PATH=" + os.Getenv("PATH")}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, _ := cmd.Output()
		if cmd.ProcessState.ExitCode() != code && cmd.ProcessState.ExitCode() != 0 {
			t.Fatalf("%s: exit code %d\n%s%s", args, cmd.ProcessState.ExitCode(), out, stderr.Bytes())
		}
		return string(out)
	}
	var records []string
	seen := map[string]int{}
	for index := range job.Spec.Completions {
		args := volumes.args(job.Spec.Template.Spec.Containers[0].Args, index, r.Host())
		audit(4, args...)
		file := filepath.Join(root, "records", fmt.Sprintf("%d.jsonl", index))
		records = append(records, file)
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		large := 0
		for i, line := range slices.Collect(strings.Lines(string(raw))) {
			if i == 0 {
				if want := fmt.Sprintf(`{"audit":"1.0","run":"complete","of":%q,"shard":"%d/%d","shardBy":"artifact"}`+"\n", r.Host(), index, job.Spec.Completions); line != want {
					t.Errorf("shard %d begins with %s, want %s", index, line, want)
				}
				continue
			}
			if seen[line]++; strings.Contains(line, "/large/app") {
				large++
			}
		}
		if large > builds/2 {
			t.Errorf("shard %d has %d of the %d artifacts of one repository", index, large, builds)
		}
	}
	for line, n := range seen {
		if n != 1 {
			t.Errorf("%d times: %s", n, line)
		}
	}
	whole := filepath.Join(root, "whole.txt")
	audit(4, "audit", "--policy", filepath.Join(root, "trust/policy.json"), "--trust-store", filepath.Join(root, "stores"),
		"--report", "jsonl="+whole, r.Host())
	if raw, err := os.ReadFile(whole); err != nil || bytes.Count(raw, []byte("\n")) != len(seen) || len(seen) < repositories+builds {
		t.Errorf("%d records of the shards, %d of one run, %v", len(seen), bytes.Count(raw, []byte("\n")), err)
	}
	merged := audit(4, append([]string{"audit", "--merge"}, records...)...)
	if !strings.Contains(merged, fmt.Sprintf("%d artifacts in %d repositories", repositories+builds, repositories+1)) {
		t.Errorf("merged:\n%s", merged)
	}
	// Eight files without one of them are not all.
	if missing := audit(4, append([]string{"audit", "--merge"}, records[1:]...)...); !strings.Contains(missing, "This is not all") {
		t.Errorf("without the first shard:\n%s", missing)
	}
}

// auditVolumes are directories in place of the volumes of the job.
type auditVolumes struct{ root string }

func newAuditVolumes(t *testing.T, root string, anchors []byte) auditVolumes {
	t.Helper()
	policy := `{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],"signatureVerification":{"level":"strict"},"trustStores":["ca:wabbit"],"trustedIdentities":["*"]}]}`
	for path, content := range map[string][]byte{"trust/policy.json": []byte(policy), "stores/ca/wabbit/root.crt": anchors, "records/.keep": nil} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return auditVolumes{root}
}

// args returns the arguments of one index as Kubernetes would, with the places of
// the test.
func (v auditVolumes) args(args []string, index int, registry string) []string {
	var out []string
	for _, a := range args {
		a = strings.ReplaceAll(a, "$(JOB_COMPLETION_INDEX)", fmt.Sprint(index))
		for _, volume := range []string{"/trust", "/stores", "/records"} {
			a = strings.Replace(a, "="+volume, "="+v.root+volume, 1)
		}
		out = append(out, strings.Replace(a, "registry.example.com", registry, 1))
	}
	return out
}

// pushNamed pushes an image of its own under repository:tag.
func pushNamed(t *testing.T, r *registries.Registry, name string) oci.Reference {
	t.Helper()
	repo, err := fixture.Repository(r.Host()+"/"+name, registries.Username, registries.Password)
	if err != nil {
		t.Fatal(err)
	}
	image, err := fixture.PushImage(t.Context(), repo, name)
	if err != nil {
		t.Fatal(err)
	}
	repository, _, _ := strings.Cut(name, ":")
	return parseReference(t, r.Host()+"/"+repository+"@"+image.Digest.String())
}
