package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
)

// slow is a repository where what some references name is answered late.
type slow struct {
	oci.Repository
	resolve, read, store time.Duration
	err                  error // of storing
}

const never = time.Hour

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s slow) Name() string { return "r.example/app" }

func (s slow) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	d := digest.FromString(ref.String())
	return oci.Descriptor{MediaType: oci.MediaTypeDockerManifest, Digest: d, Size: 10}, wait(ctx, s.resolve)
}

func (s slow) Attach(ctx context.Context, ref oci.Reference, build func(oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	if err := wait(ctx, s.read); err != nil {
		return oci.Attached{}, err
	}
	subject := oci.Descriptor{MediaType: oci.MediaTypeDockerManifest, Digest: ref.Digest(), Size: 10}
	_, err := build(subject)
	if err == nil {
		err = cmp.Or(s.err, wait(ctx, s.store))
	}
	return oci.Attached{Subject: subject, Manifest: subject}, err
}

// signOnce has a run sign the tags of r.example/app, each of which has a repository
// of its own, with a minute for each, and returns what it gives.
func signOnce(t *testing.T, ctx context.Context, format format, repos map[string]slow, tags ...string) (code int, stdout, stderr string) {
	chain := testpki.New(t, testpki.Options{Algorithm: "ec-256"})
	key, err := signer.New(chain.Key, chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	a := &app{format: format, command: "sign", env: Env{Stdout: &out, Stderr: &errs}.withDefaults()}
	a.env.Now = func() time.Time { return chain.Certs[0].NotBefore.Add(time.Hour) }
	r := &signRun{
		app: a, options: &signOptions{concurrency: 8}, key: key, each: time.Minute, pace: audit.NewPace(8),
		open: func(t target, _ string) (oci.Repository, error) { return repos[t.ref.Tag()], nil },
	}
	r.sign.Now = a.env.Now
	l := &signList{options: &targetOptions{}}
	for _, tag := range tags {
		l.args = append(l.args, "r.example/app:"+tag)
	}
	doc := &signDocument{beside: func(print func()) { print() }}
	doc.listErr = r.all(ctx, l, doc)
	a.result = doc
	code = a.finish(doc.end(ctx, a))
	return code, out.String(), errs.String()
}

// TestSignEachTimeUp has the time of single artifacts pass, and a registry break
// off. Nobody has interrupted the run: each of them is told, with what has become
// of it.
func TestSignEachTimeUp(t *testing.T) {
	t.Parallel()
	broken := reason.Errorf(reason.RegistryUnavailable, "it answered 503")
	denied := reason.Errorf(reason.RegistryDenied, "it answered 403")
	repos := map[string]slow{"a": {resolve: never}, "b": {read: never}, "c": {store: never}, "d": {}, "e": {err: broken}, "f": {err: denied}}
	synctest.Test(t, func(t *testing.T) {
		code, stdout, stderr := signOnce(t, t.Context(), formatText, repos, "a", "b", "c", "d", "e", "f")
		if code != exitUndecided || strings.Count(stdout, "Successfully signed ") != 1 || strings.Contains(stderr, "nterrupted") || strings.Contains(stderr, "left;") {
			t.Errorf("%d\n%s\n%s", code, stdout, stderr)
		}
		const up = "the time that --timeout allows, 1m, was up"
		for _, text := range []string{
			"Error: r.example/app:a: " + up + ".",
			"Error: r.example/app:b: " + up + ".",
			"Error: r.example/app:c: " + up + "; the signature was being stored, so that it may be there.",
			"Error: r.example/app:e: it answered 503; the signature was being stored, so that it may be there.",
			"Error: r.example/app:f: it answered 403.",
			"Hint: See with 'notation list'",
		} {
			if !strings.Contains(stderr, text) {
				t.Errorf("%q is missing in:\n%s", text, stderr)
			}
		}
	})
}

// TestSignInterruptedTellsErrors interrupts a run in which something has failed:
// that is told as well, and in JSON by digest.
func TestSignInterruptedTellsErrors(t *testing.T) {
	t.Parallel()
	denied := reason.Errorf(reason.RegistryDenied, "it answered 403")
	repos := map[string]slow{"a": {err: denied}, "b": {}, "c": {read: never}, "d": {store: never}}
	for _, format := range []format{formatText, formatJSON} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			code, stdout, stderr := signOnce(t, ctx, format, repos, "a", "b", "c", "d")
			if code != exitUndecided {
				t.Error(code)
			}
			for _, text := range []string{
				"Warning: r.example/app:a: it answered 403.",
				"Warning: r.example/app:d may be signed, or not: its signature was being stored.",
				"Error: 1 artifact signed, 1 not signed because of errors, 1 of which it is not known, and 1 left; ",
			} {
				if strings.Count(stderr, text) != 1 {
					t.Errorf("%q is not there once in:\n%s", text, stderr)
				}
			}
			if format == formatText {
				return
			}
			var doc struct{ Signed []signedJSON }
			if err := json.Unmarshal([]byte(stdout), &doc); err != nil || len(doc.Signed) != 4 {
				t.Fatalf("%v: %s", err, stdout)
			}
			for i, tag := range []string{"a", "b", "c", "d"} {
				s := doc.Signed[i]
				if want := "r.example/app@" + string(digest.FromString("r.example/app:"+tag)); s.Name != want || (s.Error == nil) != (tag == "b") || (s.Signature == nil) != (s.Error != nil) {
					t.Errorf("%+v, want %s", s, want)
				}
			}
		})
	}
}
