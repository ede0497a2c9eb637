package notation_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestSameDigestTwice lists one signature under several claims.
//
// attack: REG-03
func TestSameDigestTwice(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for name, change := range map[string]func(*oci.Descriptor){
		"size":       func(d *oci.Descriptor) { d.Size++ },
		"media type": func(d *oci.Descriptor) { d.MediaType = "application/octet-stream" },
	} {
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		good := repo.signAs(t, artifact, chain, notation.SignOptions{})
		wrong := with(good, change)
		repo.listings[artifact.Digest] = []oci.Descriptor{wrong, good, wrong, good}
		verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
		if err != nil || verdict.Accepted().Digest != good.Digest {
			t.Errorf("%s: %v", name, err)
		}
	}
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	good := repo.signAs(t, artifact, chain, notation.SignOptions{})
	repo.listings[artifact.Digest] = []oci.Descriptor{good, good, good}
	v := verifierFor(t, chain)
	v.Exhaustive = true
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	if err != nil || len(verdict.Signatures) != 1 || verdict.NotLookedAt != 0 || repo.count("fetch") != 1 {
		t.Errorf("%d signatures, %d fetched: %v", len(verdict.Signatures), repo.count("fetch"), err)
	}
}

// TestMaxInFlight has more candidates than may be fetched at the same time.
//
// attack: REG-03
func TestMaxInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := testpki.New(t, testpki.Options{})
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		for i := range 2*notation.MaxInFlight + 50 {
			entry(repo, artifact, fmt.Sprint(i), true)
		}
		var now, most atomic.Int64
		repo.onFetch = func(context.Context, digest.Digest) ([]byte, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second)
			return nil, nil
		}
		v := verifierFor(t, chain)
		v.MaxSignatures = 1000
		verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
		checkRefusal(t, verdict, err, notation.ErrRejected, reason.OCIManifest)
		if most.Load() != notation.MaxInFlight {
			t.Errorf("%d fetched at once", most.Load())
		}
	})
}

// TestLargeSignatures has manifests and envelopes that together exceed the
// budget for large content many times over. Each gives its share back.
func TestLargeSignatures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := testpki.New(t, testpki.Options{})
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		for i := range 9 {
			env := bytes.Repeat([]byte(" "), oci.MaxEnvelopeSize-i)
			a, err := oci.NewSignatureAttachment(artifact, envelope.MediaTypeJWS, env, nil)
			if err != nil {
				t.Fatal(err)
			}
			manifest := append(a.Legacy, bytes.Repeat([]byte(" "), oci.MaxManifestSize-len(a.Legacy))...)
			repo.put(env)
			d := repo.put(manifest)
			d.MediaType = ocispec.MediaTypeImageManifest
			repo.list(artifact.Digest, d)
		}
		repo.onFetch = func(context.Context, digest.Digest) ([]byte, error) { time.Sleep(time.Second); return nil, nil }
		verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
		checkRefusal(t, verdict, err, notation.ErrRejected, reason.EnvelopeTooLarge)
		if len(verdict.Signatures) != 9 {
			t.Errorf("%d signatures", len(verdict.Signatures))
		}
	})
}

// TestFirstWave counts what is fetched before anything has come back.
func TestFirstWave(t *testing.T) {
	t.Parallel()
	for _, exhaustive := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			chain := testpki.New(t, testpki.Options{})
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			for i := range 20 {
				entry(repo, artifact, fmt.Sprint(i), true)
			}
			var atOnce atomic.Int64
			start := time.Now()
			repo.onFetch = func(context.Context, digest.Digest) ([]byte, error) {
				if time.Since(start) == 0 {
					atOnce.Add(1)
				}
				time.Sleep(notation.HedgeDelay / 2)
				return nil, nil
			}
			v := verifierFor(t, chain)
			v.Exhaustive = exhaustive
			verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
			checkRefusal(t, verdict, err, notation.ErrRejected, reason.OCIManifest)
			want := int64(notation.FirstWave)
			if exhaustive {
				want = 20
			}
			if got := atOnce.Load(); got != want {
				t.Errorf("exhaustive %t: %d fetched at once, want %d", exhaustive, got, want)
			}
		})
	}
}

// TestOtherManifestType lists a manifest of a type that holds no signature.
func TestOtherManifestType(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	d := repo.put([]byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `"}`))
	d.MediaType = ocispec.MediaTypeImageIndex
	repo.list(artifact.Digest, d)
	verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUnsigned, reason.VerifyUnsigned)
}

// TestOrder puts what says nothing before what names other roots, and what
// names a trusted root of either type before both. Roots of time-stamping
// authorities do not count.
func TestOrder(t *testing.T) {
	t.Parallel()
	const nobody, other, tsa = "", "other", "tsa"
	for name, tt := range map[string]orderCase{
		"nothing before others":       {other, false, envelope.SchemeX509},
		"nothing before tsa":          {tsa, false, envelope.SchemeX509},
		"root before others":          {other, true, envelope.SchemeX509},
		"authority before others":     {other, true, envelope.SchemeSigningAuthority},
		"authority before no remark":  {nobody, true, envelope.SchemeSigningAuthority},
		"trusted root before nothing": {nobody, true, envelope.SchemeX509},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, tt.run) // in which a slow machine is not too slow for the first wave
		})
	}
}

// orderCase is a good signature behind twenty bad ones.
type orderCase struct {
	before string // whose thumbprints the bad ones have; "": nobody's
	hinted bool   // the good one has those of its chain
	scheme envelope.Scheme
}

func (tt orderCase) run(t *testing.T) {
	chain := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{Name: "other", KeySet: 1})
	tsa := testpki.New(t, testpki.Options{Name: "tsa", KeySet: 2})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	env := seal(t, other, envelope.Request{Target: artifact})
	for i := range 20 {
		annotations := map[string]string{}
		switch tt.before {
		case "other":
			annotations = thumbprints(other)
		case "tsa":
			annotations = thumbprints(tsa)
		}
		annotations["n"] = fmt.Sprint(i)
		repo.attachEnvelope(t, artifact, env, annotations)
	}
	most := notation.FirstWave
	var good map[string]string
	if tt.hinted {
		good, most = thumbprints(chain), 1 // nothing else is likely to pass
	}
	repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact, Scheme: tt.scheme}), good)
	root := []*x509.Certificate{chain.Root()}
	v := verifierFor(t, chain)
	v.Policy = statement(t, `"signatureVerification": {"level": "strict", "verifyTimestamp": "afterCertExpiry"},
		"trustStores": ["ca:a", "signingAuthority:b", "tsa:t"], "trustedIdentities": ["*"]`)
	v.Stores = stores(map[string][]*x509.Certificate{"ca:a": root, "signingAuthority:b": root, "tsa:t": {tsa.Root()}})
	if tt.scheme == envelope.SchemeSigningAuthority {
		v.Stores = stores(map[string][]*x509.Certificate{"ca:a": {tsa.Root()}, "signingAuthority:b": root, "tsa:t": {tsa.Root()}})
	}
	if _, err := v.Verify(t.Context(), repo, byDigest(t, artifact)); err != nil {
		t.Fatal(err)
	}
	if n := repo.count("fetch"); n > most {
		t.Errorf("%d fetched, want at most %d", n, most)
	}
}

// TestFalseHint annotates bad signatures with the trusted root and the good one
// with nothing. The annotation decides the order and nothing else.
func TestFalseHint(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{Name: "other", KeySet: 1})
	for _, bad := range []int{1, 20} {
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), nil)
		env := seal(t, other, envelope.Request{Target: artifact})
		for i := range bad {
			annotations := thumbprints(chain)
			annotations["n"] = fmt.Sprint(i)
			repo.attachEnvelope(t, artifact, env, annotations)
		}
		verdict, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact))
		if err != nil || verdict.Outcome != notation.Passed {
			t.Errorf("%d false hints: %v", bad, err)
		}
	}
}

// TestWhoseTimeIsUp tells the signature's own time from the caller's.
func TestWhoseTimeIsUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit time.Duration
		own   bool
	}{{time.Second, false}, {time.Hour, true}} {
		synctest.Test(t, func(t *testing.T) {
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			failing(repo, entry(repo, artifact, "slow", true), hang)
			ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
			defer cancel()
			err := notation.Look(ctx, repo, repo.listings[artifact.Digest][0])
			if got := reason.Of(err) == reason.VerifySignatureTimeout; got != tt.own || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("within %s: %v", tt.limit, err)
			}
		})
	}
}
