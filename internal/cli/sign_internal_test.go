package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
)

// slowKey is a key that a plugin holds.
type slowKey struct {
	signer.BlobSigner
	mu          sync.Mutex
	under, most int
}

func (k *slowKey) Sign(ctx context.Context, _ envelope.Request) (signer.Result, error) {
	k.mu.Lock()
	k.under++
	k.most = max(k.most, k.under)
	k.mu.Unlock()
	time.Sleep(time.Second)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.under--
	return signer.Result{}, ctx.Err()
}

// TestHoldKey bounds how many processes of a plugin there are.
func TestHoldKey(t *testing.T) {
	t.Parallel()
	for _, most := range []int{3, 100} {
		synctest.Test(t, func(t *testing.T) {
			key := &slowKey{}
			held := holdKey(key, most)
			for range 50 {
				go func() { _, _ = held.Sign(t.Context(), envelope.Request{}) }()
			}
			synctest.Wait()
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("enough"))
			if _, err := held.Sign(ctx, envelope.Request{}); err == nil || err.Error() != "enough" {
				t.Error(err)
			}
			time.Sleep(time.Minute)
			key.mu.Lock()
			defer key.mu.Unlock()
			if want := min(most, maxKeyProcesses); key.most != want {
				t.Errorf("%d at a time, not %d", key.most, want)
			}
		})
	}
	local := struct{ signer.Signer }{}
	if held := holdKey(local, 1); held != signer.Signer(local) {
		t.Error("a key of this machine is bounded")
	}
}

// stuck is a repository that needs a time to store something.
type stuck struct {
	oci.Repository
	takes time.Duration
}

func (s stuck) Attach(ctx context.Context, _ oci.Reference, build func(oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	if _, err := build(oci.Descriptor{}); err != nil {
		return oci.Attached{}, err
	}
	select {
	case <-time.After(s.takes):
		return oci.Attached{}, nil
	case <-ctx.Done():
		return oci.Attached{}, context.Cause(ctx)
	}
}

// TestStorageInterrupted ends what has stored nothing yet at once, and gives the
// rest some time, unless --timeout has passed.
func TestStorageInterrupted(t *testing.T) {
	t.Parallel()
	interrupt := errors.New("interrupt")
	for _, tc := range []struct {
		name          string
		builds, takes time.Duration
		cause         error
		after         time.Duration
		ok, stored    bool
	}{
		{"while the key is used", 10 * time.Second, time.Second, interrupt, time.Second, false, false},
		{"while it is stored", 0, 3 * time.Second, interrupt, 3 * time.Second, true, true},
		{"while it is stored forever", 0, time.Hour, interrupt, time.Second + storeGrace, false, true},
		{"time is up", 0, 3 * time.Second, timeUp{time.Second}, time.Second, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(tc.cause) })
				s := &storage{Repository: stuck{takes: tc.takes}, stamping: make(chan struct{}, 1)}
				work, end := s.guard(ctx)
				defer end()
				_, err := s.Attach(work, oci.Reference{}, func(oci.Descriptor) (oci.Attachment, error) {
					select {
					case <-time.After(tc.builds):
					case <-work.Done():
						return oci.Attachment{}, context.Cause(work)
					}
					return oci.Attachment{}, nil
				})
				ended, stored := s.interrupted()
				if (err == nil) != tc.ok || stored != tc.stored || !ended || time.Since(began) != tc.after {
					t.Errorf("%v after %v: %v, %v", err, time.Since(began), ended, stored)
				}
				if !tc.ok && !errors.Is(err, tc.cause) {
					t.Error(err)
				}
			})
		})
	}
}

// TestStorageTurn has those wait who ask for a time stamp, and nobody store
// anything after the interrupt.
func TestStorageTurn(t *testing.T) {
	t.Parallel()
	full := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &storage{Repository: stuck{}, stamping: full}
	if _, err := s.Attach(ctx, oci.Reference{}, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s = &storage{Repository: stuck{}, ended: context.Canceled}
	if _, err := s.Attach(t.Context(), oci.Reference{}, func(oci.Descriptor) (oci.Attachment, error) { return oci.Attachment{}, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestSignTurns has references wait for earlier ones to the same artifact only.
func TestSignTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var turns signTurns
		a, b := digest.FromString("a"), digest.FromString("b")
		first, second, elsewhere := turns.take("r/app"), turns.take("r/app"), turns.take("r/other")
		second.know([]digest.Digest{a, b})
		elsewhere.know([]digest.Digest{a})
		var mu sync.Mutex
		passed := map[digest.Digest]bool{}
		for _, d := range []digest.Digest{a, b} {
			go func() {
				if err := second.wait(t.Context(), d); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				passed[d] = true
			}()
		}
		if err := elsewhere.wait(t.Context(), a); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(passed) != 0 {
			t.Error("nobody knows yet what the first names")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := second.wait(ctx, a); err == nil {
			t.Error("waited for the first")
		}
		first.know([]digest.Digest{a})
		if err := second.wait(ctx, a); err == nil {
			t.Error("waited for the artifact")
		}
		synctest.Wait()
		if passed[a] || !passed[b] {
			t.Errorf("%v", passed)
		}
		first.finish(a)
		synctest.Wait()
		if !passed[a] {
			t.Error("still waits")
		}
		for _, turn := range []*signTurn{first, second, elsewhere} {
			if turns.leave(turn); turn.before != nil {
				t.Error("all references there ever were are held")
			}
		}
		if len(turns.open) != 0 || len(turns.take("r/app").before) != 0 {
			t.Errorf("%v", turns.open)
		}
	})
}

// TestSignSpool writes a document that is too long to be held.
func TestSignSpool(t *testing.T) {
	t.Parallel()
	const n = 30_000
	d := &signDocument{beside: func(print func()) { print() }}
	var stdout bytes.Buffer
	a := &app{format: formatJSON, env: Env{Stdout: &stdout}.withDefaults()}
	for i := range n {
		s := signResult{}
		s.Requested = fmt.Sprintf("r.example/app:%d-%s", i, strings.Repeat("x", 300))
		if err := d.add(a, signedTarget{results: []signResult{s}}); err != nil {
			t.Fatal(err)
		}
	}
	if d.spool.file == nil {
		t.Fatal("it is held")
	}
	if err := d.spool.file.Sync(); err != nil {
		t.Fatal(err)
	}
	a.result = d
	if err := a.showJSON(nil, 0); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); strings.Count(got, `"requested": "r.example/app:`) != n || !strings.HasSuffix(got, "\n    }\n  ]\n}\n") || !strings.Contains(got, "app:29999-") {
		t.Error(got[len(got)-200:])
	}
	if err := d.spool.file.Close(); err == nil {
		t.Error("the file is left open")
	}
	// Where it cannot be read again, the document is none.
	d = &signDocument{beside: func(print func()) { print() }}
	if err := d.spool.create(); err != nil {
		t.Fatal(err)
	}
	_ = d.spool.file.Close()
	a.result = d
	if err := d.spool.add([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := a.showJSON(nil, 0); err == nil {
		t.Error("written")
	}
}

// TestSignEmptyJSON has a run without results be a document like others.
func TestSignEmptyJSON(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	a := &app{format: formatJSON, command: "sign", env: Env{Stdout: &stdout}.withDefaults(), result: &signDocument{}}
	if err := a.showJSON(nil, 0); err != nil || stdout.String() != "{\n  \"schemaVersion\": \"1.0\",\n  \"command\": \"sign\",\n  \"exitCode\": 0,\n  \"signed\": []\n}\n" {
		t.Errorf("%v %q", err, stdout.String())
	}
}

// TestSignProgress says how far a run is.
func TestSignProgress(t *testing.T) {
	t.Parallel()
	var p signProgress
	if got := p.line(time.Second, 4); got != "0 signed, 0/s; 0 of 4 references" {
		t.Error(got)
	}
	p.add(false)
	p.add(true)
	p.failed.Add(1)
	p.done.Add(3)
	if got := p.line(3*time.Second, 4); got != "1 signed, 1/s, 1 were signed before, 1 could not be signed; 3 of 4 references, about 1s left" {
		t.Error(got)
	}
	shown := &auditProgress{text: func(elapsed time.Duration) string { return p.line(elapsed, 4) }}
	var stderr bytes.Buffer
	shown.start(&app{env: Env{Stderr: &stderr}.withDefaults()})
	shown.beside(func() { stderr.WriteString("a result\n") })
	shown.told = time.Time{}
	shown.show()
	shown.done()
	if got := stderr.String(); !strings.HasPrefix(got, "a result\n1 signed") {
		t.Error(got)
	}
}

// TestSignListChanges ends where the list is another one when it is read again.
func TestSignListChanges(t *testing.T) {
	t.Parallel()
	l := &signList{options: &targetOptions{}, file: &referenceFile{name: "list", from: strings.NewReader("UPPER/x:1\n"), size: 10}}
	r := &signRun{options: &signOptions{concurrency: 1}}
	if err := r.all(t.Context(), l, &signDocument{}); reason.Of(err) != reason.OCIReference || !strings.Contains(err.Error(), "list:1") {
		t.Error(err)
	}
}

// cutOff is a file that cannot be read beyond what there is.
type cutOff string

func (c cutOff) ReadAt(p []byte, off int64) (int, error) {
	return copy(p, c[min(int(off), len(c)):]), io.ErrUnexpectedEOF
}

// TestSignListCutOff signs nothing that half a line names.
func TestSignListCutOff(t *testing.T) {
	t.Parallel()
	const text = "r.example/app:v1\nr.example/app:v12"
	l := &signList{options: &targetOptions{}, file: &referenceFile{name: "list", from: cutOff(text), size: 100}}
	var names []string
	var last error
	for target, err := range l.targets() {
		if last = err; err == nil {
			names = append(names, target.typed)
		}
	}
	if !slices.Equal(names, []string{"r.example/app:v1"}) || !errors.Is(last, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", names, last)
	}
	l.file = &referenceFile{name: "list", from: strings.NewReader(text), size: int64(len(text))}
	n := 0
	for _, err := range l.targets() {
		if n++; err != nil {
			t.Error(err)
		}
		if n == 1 {
			break // the rest is not asked for
		}
	}
}
