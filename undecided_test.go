package notation_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
)

// attack: REG-02
func TestRegistryContradictsSignature(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	for _, tt := range []struct {
		name   string
		signer *testpki.Chain
		change func(*oci.Descriptor)
		want   error
		code   reason.Code
	}{
		{"size", chain, func(d *oci.Descriptor) { d.Size++ }, notation.ErrUndecided, reason.VerifyArtifactClaim},
		{"media type", chain, func(d *oci.Descriptor) { d.MediaType = "application/vnd.docker.distribution.manifest.v2+json" }, notation.ErrUndecided, reason.VerifyArtifactClaim},
		{"size, by a stranger", stranger, func(d *oci.Descriptor) { d.Size++ }, notation.ErrRejected, reason.VerifyRootUntrusted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			repo.signAs(t, artifact, tt.signer, notation.SignOptions{})
			claim := with(artifact, tt.change)
			repo.onResolve = func(oci.Reference) (oci.Descriptor, error) { return claim, nil }
			verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
			checkRefusal(t, verdict, err, tt.want, tt.code)
			f := finding(t, verdict.Signatures[0].Findings, notation.CheckIntegrity)
			if f.Outcome != notation.Undecided || f.Reason != reason.VerifyArtifactClaim || strings.Contains(f.Hint, "Sign this") {
				t.Errorf("finding %+v", f)
			}
		})
	}
	// A signature for another digest is for another artifact, whoever says so.
	repo := newFakeRepo()
	artifact, other := repo.push("v1", "artifact"), repo.push("v2", "other")
	repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: other}), nil)
	verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyOtherArtifact)
}

// diskFS fails to open any file while broken.
type diskFS struct {
	fstest.MapFS
	broken bool
}

func (d *diskFS) Open(name string) (fs.File, error) {
	if d.broken {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("broken disk")}
	}
	return d.MapFS.Open(name)
}

// TestUnreadableTSAStore: a tsa store that is not there matters less than one
// that cannot be read, in whatever order they come.
func TestUnreadableTSAStore(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	tsa := newTSA(t, time.Now(), testpki.Options{})
	env := stamped(t, chain, tsa, envelope.Request{})
	for _, order := range []string{`"tsa:t", "tsa:missing"`, `"tsa:missing", "tsa:t"`, `"tsa:t", "tsa:t2"`} {
		v := &notation.Verifier{
			Policy: statement(t, `"signatureVerification": {"level": "strict"}, "trustStores": ["ca:test", `+order+`], "trustedIdentities": ["*"]`),
			Stores: trust.NewStores(&tsaBroken{MapFS: fstest.MapFS{
				"ca/test/root.crt": {Data: chain.Root().Raw, Mode: 0o644}, "tsa/t/root.crt": {Data: tsa.Root().Raw, Mode: 0o644}, "tsa/t2/root.crt": {Data: tsa.Root().Raw, Mode: 0o644},
			}}),
		}
		verdict, err := decide(t, v, env)
		checkRefusal(t, verdict, err, notation.ErrUndecided, reason.StoreUnreadable)
	}
}

// tsaBroken fails to read what is in tsa stores.
type tsaBroken struct{ fstest.MapFS }

func (b *tsaBroken) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "tsa/") && strings.HasSuffix(name, ".crt") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("input/output error")}
	}
	return b.MapFS.Open(name)
}

// TestUnreadableStore is no no: the next verification may find the anchor.
func TestUnreadableStore(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.signAs(t, artifact, chain, notation.SignOptions{})
	env := seal(t, chain, envelope.Request{Target: target()})
	disk := &diskFS{MapFS: fstest.MapFS{"ca/test/root.crt": {Data: chain.Root().Raw, Mode: 0o644}}, broken: true}
	v := verifierFor(t, chain)
	v.Stores = trust.NewStores(disk)
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.StoreUnreadable)
	verdict, err = decide(t, v, env)
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.StoreUnreadable)
	audit := *v
	audit.Policy = policy(t, "audit", "")
	verdict, err = decide(t, &audit, env)
	want{notation.CheckAuthenticity, notation.Logged, reason.StoreUnreadable}.compare(t, verdict, err)

	// One of two stores can be read, and does not hold the root.
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	both := *v
	both.Policy = policy(t, "strict", `"trustStores": ["ca:test", "ca:other", "ca:none"], "trustedIdentities": ["*"]`)
	both.Stores = trust.NewStores(&partlyBroken{MapFS: fstest.MapFS{
		"ca/test/root.crt":  {Data: chain.Root().Raw, Mode: 0o644},
		"ca/other/root.crt": {Data: stranger.Root().Raw, Mode: 0o644},
	}, broken: "ca/test/root.crt"})
	verdict, err = both.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.StoreUnreadable)

	// A store that is missing for certain does not hide one that may be there.
	both.Policy = policy(t, "strict", `"trustStores": ["ca:none", "ca:test"], "trustedIdentities": ["*"]`)
	verdict, err = both.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.StoreUnreadable)

	disk.broken = false
	if _, err := v.Verify(t.Context(), repo, byDigest(t, artifact)); err != nil {
		t.Error(err)
	}
}

// partlyBroken fails to open one file.
type partlyBroken struct {
	fstest.MapFS
	broken string
}

func (p *partlyBroken) Open(name string) (fs.File, error) {
	if name == p.broken {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("broken disk")}
	}
	return p.MapFS.Open(name)
}

// TestNothingGiven has a nil Verifier, repository and verdict.
func TestNothingGiven(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	ref := byDigest(t, target())
	verdict, err := verifierFor(t, chain).Verify(t.Context(), nil, ref)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyReference)
	_, layout, err := oci.ParseLayoutReference("dir:v1")
	if err != nil {
		t.Fatal(err)
	}
	verdict, err = verifierFor(t, chain).Verify(t.Context(), nil, layout)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyReference)
	var none *notation.Verifier
	verdict, err = none.Verify(t.Context(), newFakeRepo(), ref)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyNoPolicy)
	verdict, err = none.VerifyEnvelope(t.Context(), nil, envelope.MediaTypeJWS, target(), scope)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyNoPolicy)
	if _, err := notation.Sign(t.Context(), nil, ref, signerFor(t, chain), notation.SignOptions{}); reason.Of(err) != reason.VerifyReference {
		t.Error(err)
	}
	empty := error(new(notation.VerdictError))
	if empty.Error() == "" || !errors.Is(empty, notation.ErrRejected) || reason.Of(empty) != "" {
		t.Errorf("%v", empty)
	}
}

// TestEndedBefore asks nothing of a repository that does not heed ctx.
func TestEndedBefore(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.signAs(t, artifact, chain, notation.SignOptions{})
	repo.requests = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ref := range []oci.Reference{reference(t, scope+":v1"), byDigest(t, artifact)} {
		verdict, err := verifierFor(t, chain).Verify(ctx, repo, ref)
		checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifyInterrupted)
	}
	if len(repo.requests) != 0 {
		t.Errorf("requests: %v", repo.requests)
	}
}

// attack: REG-01
func TestTagWithoutDigest(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, junk := range []digest.Digest{"", "sha256:", "junk", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:../..\x1b"} {
		repo := newFakeRepo()
		repo.onResolve = func(oci.Reference) (oci.Descriptor, error) {
			return oci.Descriptor{MediaType: "a/b", Digest: junk, Size: 1}, nil
		}
		verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, reference(t, scope+":v1"))
		checkRefusal(t, verdict, err, notation.ErrUndecided, reason.Of(err))
		if code := reason.Of(err); code == "" || verdict.Reference != scope+":v1" || repo.count("referrers") != 0 {
			t.Errorf("%q: code %q, reference %q, requests %v", junk, code, verdict.Reference, repo.requests)
		}
	}
}

// TestIncompleteReference is a repository's own no.
func TestIncompleteReference(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	repo.onResolve = func(oci.Reference) (oci.Descriptor, error) {
		return oci.Descriptor{}, reason.Errorf(reason.OCIReferenceIncomplete, "which one")
	}
	verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, reference(t, scope+":v1"))
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.OCIReferenceIncomplete)
}

// TestUnsignedFinding has an outcome that findings have.
func TestUnsignedFinding(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, repo.push("v1", "artifact")))
	checkRefusal(t, verdict, err, notation.ErrUnsigned, reason.VerifyUnsigned)
	if f := finding(t, verdict.Findings, notation.CheckDiscovery); f.Outcome != notation.Failed {
		t.Errorf("finding %+v", f)
	}
}

// TestClosestOfEqual reports the first of those that came equally far.
func TestClosestOfEqual(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	first := repo.signAs(t, artifact, stranger, notation.SignOptions{Agent: "a"})
	repo.signAs(t, artifact, stranger, notation.SignOptions{Agent: "b"})
	_, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
	if err == nil || !strings.Contains(err.Error(), string(first.Digest)) {
		t.Error(err)
	}
}

// TestTimeInUTC prints the time of a clock in another zone.
func TestTimeInUTC(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	now := time.Now().Truncate(time.Second)
	v := at(verifierFor(t, chain), now.In(time.FixedZone("east", 5*3600)))
	verdict, err := decide(t, v, seal(t, chain, envelope.Request{Target: target()}))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(verdict)
	if want := `"time":"` + now.UTC().Format(time.RFC3339) + `"`; err != nil || !strings.Contains(string(raw), want) {
		t.Errorf("%s lacks %s: %v", raw, want, err)
	}
}

// TestNoHope: time-stamping authorities anchor no signature, and signing
// authorities do.
func TestNoHope(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	root := []*x509.Certificate{chain.Root()}
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact, Scheme: envelope.SchemeSigningAuthority}), nil)
	v := &notation.Verifier{
		Policy: policy(t, "strict", `"trustStores": ["ca:a", "signingAuthority:b"], "trustedIdentities": ["*"]`),
		Stores: stores(map[string][]*x509.Certificate{"signingAuthority:b": root}),
	}
	if _, err := v.Verify(t.Context(), repo, byDigest(t, artifact)); err != nil {
		t.Error(err)
	}
	repo.requests = nil
	v.Policy = policy(t, "strict", `"trustStores": ["ca:a", "tsa:t"], "trustedIdentities": ["*"]`)
	v.Stores = stores(map[string][]*x509.Certificate{"tsa:t": root})
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.StoreNotFound)
	if len(repo.requests) != 0 {
		t.Errorf("requests: %v", repo.requests)
	}
}
