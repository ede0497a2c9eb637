package notation_test

import (
	"crypto/x509"
	"errors"
	"fmt"

	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/cache"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
)

// question is a verification with a cache that others use, too.
type question struct {
	name   string
	chain  []*x509.Certificate
	change func(v *notation.Verifier) // nil: the verifier that trusts the good chain
	code   reason.Code                // "": verified
	env    []byte
}

// questions are about one key that has signed one artifact, and the answers
// differ by the policy, the stores, the clock, and certificates that look alike.
func questions(t *testing.T) (trusted *testpki.Chain, all []*question) {
	t.Helper()
	// The same names, keys and key identifiers everywhere, other certificates.
	sameIDs := func(i int, c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3, byte(i)} }
	one := testpki.New(t, testpki.Options{Modify: sameIDs})
	two := testpki.New(t, testpki.Options{Modify: sameIDs, KeySet: 1})
	renewed := testpki.New(t, testpki.Options{Modify: sameIDs})
	expired := testpki.New(t, testpki.Options{Modify: sameIDs, NotBefore: time.Now().AddDate(0, 0, -3), NotAfter: time.Now().AddDate(0, 0, -2)})
	spoilt := func(c *x509.Certificate) *x509.Certificate { // its signature, in the last byte
		raw := slices.Clone(c.Raw)
		raw[len(raw)-1] ^= 1
		return testpki.Parse(t, raw)
	}
	leaf, authority, root := one.Certs[0], one.Certs[1], one.Certs[2]
	policyOf := func(level, members string) func(v *notation.Verifier) {
		return func(v *notation.Verifier) { v.Policy = policy(t, level, members) }
	}
	anchors := func(store string, certs ...*x509.Certificate) func(v *notation.Verifier) {
		return func(v *notation.Verifier) { v.Stores = stores(map[string][]*x509.Certificate{store: certs}) }
	}
	status := func(r revocation.Result) func(v *notation.Verifier) {
		return func(v *notation.Verifier) { v.Revocation = answers(r, good) }
	}
	later := func(v *notation.Verifier) {
		v.Now = func() time.Time { return time.Now().AddDate(0, 0, 2) }
	}
	all = []*question{
		{"trusted", one.Certs, nil, "", nil},
		{"another root is trusted", one.Certs, anchors("ca:test", two.Root()), reason.VerifyRootUntrusted, nil},
		{"the root renewed is trusted", one.Certs, anchors("ca:test", renewed.Root()), reason.VerifyRootUntrusted, nil},
		{"its authority is trusted as a root", one.Certs, anchors("ca:test", authority), reason.StoreAnchor, nil},
		{"its root is trusted for something else", one.Certs, anchors("tsa:test", root), reason.StoreNotFound, nil},
		{"another identity is trusted", one.Certs, policyOf("strict", `"trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"]`), reason.VerifyIdentityUntrusted, nil},
		{"another store is trusted", one.Certs, policyOf("strict", `"trustStores": ["ca:other"], "trustedIdentities": ["*"]`), reason.StoreNotFound, nil},
		{"later", one.Certs, later, reason.CertExpired, nil},
		{"revoked", one.Certs, status(revoked), reason.RevocationRevoked, nil},
		{"revocation not known", one.Certs, status(unavailable), reason.RevocationUnavailable, nil},
		{"other metadata is wanted", one.Certs, func(v *notation.Verifier) { v.Metadata = map[string]string{"a": "b"} }, reason.VerifyMetadata, nil},
		{"no policy", one.Certs, func(v *notation.Verifier) { v.Policy = nil }, reason.VerifyNoPolicy, nil},
		{"an authority of that name", []*x509.Certificate{leaf, two.Certs[1], two.Certs[2]}, nil, reason.CertSignature, nil},
		{"an authority of that name, trusted", []*x509.Certificate{leaf, two.Certs[1], two.Certs[2]}, anchors("ca:test", two.Root()), reason.CertSignature, nil},
		{"a root of that name", []*x509.Certificate{leaf, authority, two.Certs[2]}, anchors("ca:test", two.Root()), reason.CertSignature, nil},
		{"a leaf of that name, not signed by it", []*x509.Certificate{spoilt(leaf), authority, root}, nil, reason.CertSignature, nil},
		{"an authority not signed by it", []*x509.Certificate{leaf, spoilt(authority), root}, nil, reason.CertSignature, nil},
		{"a root not signed by itself", []*x509.Certificate{leaf, authority, spoilt(root)}, anchors("ca:test", spoilt(root)), reason.CertSignature, nil},
		{"out of order", []*x509.Certificate{leaf, root, authority}, nil, reason.CertChainOrder, nil},
		{"without its root", []*x509.Certificate{leaf, authority}, nil, reason.CertChainIncomplete, nil},
		{"expired namesakes", expired.Certs, anchors("ca:test", expired.Root()), reason.CertExpired, nil},
		{"of another key", two.Certs, anchors("ca:test", two.Root()), reason.EnvelopeSignature, nil},
		{"renewed", renewed.Certs, anchors("ca:test", renewed.Root()), "", nil},
	}
	for _, q := range all {
		q.env = rawJWS(t, one.Key, q.chain, nil)
	}
	return one, all
}

// ask verifies as a question wants it and compares the answer.
func (q *question) ask(t *testing.T, trusted *testpki.Chain, kept *notation.Cache) {
	t.Helper()
	v := verifierFor(t, trusted)
	v.Revocation, v.Cache = answers(good, good), kept
	if q.change != nil {
		q.change(v)
	}
	_, err := decide(t, v, q.env)
	if reason.Of(err) != q.code || (err == nil) != (q.code == "") {
		t.Errorf("%s: %v [%s], want %q", q.name, err, reason.Of(err), q.code)
	}
}

// One cache for everybody, whatever was asked before: a chain that was trusted is
// judged anew where it is not, and certificates that look like known ones are
// not taken for them.
//
// attack: CRT-05
// attack: CRT-04
func TestCacheOfCertificatesAttacked(t *testing.T) {
	t.Parallel()
	chain, all := questions(t)
	for i := range all {
		t.Run("first "+all[i].name, func(t *testing.T) {
			t.Parallel()
			kept := notation.NewCache()
			all[i].ask(t, chain, kept)
			for j := range all { // each after each, and twice
				all[j].ask(t, chain, kept)
				all[i].ask(t, chain, kept)
			}
		})
	}
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		kept := notation.NewCache()
		var running sync.WaitGroup
		for i := range all {
			running.Go(func() {
				for j := range all {
					all[(i+j)%len(all)].ask(t, chain, kept)
				}
			})
		}
		running.Wait()
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		for i := range all {
			all[i].ask(t, chain, nil)
		}
	})
}

// Content that is kept says nothing about whether it is in the repository, is
// listed, or belongs to the artifact: the listing is what was asked for, and what
// it names is judged.
//
// attack: REG-02
// attack: REG-09
func TestCacheOfContentAttacked(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for name, kept := range map[string]*cache.Cache{"memory": cache.New(cache.Options{}), "disk": cache.New(cache.Options{Dir: t.TempDir()})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			// Large, so that the envelope is a blob of its own.
			artifact, other := repo.push("v1", "artifact"), repo.push("v2", "other")
			signature := repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), nil)
			verify := func(d oci.Descriptor) (*notation.Verdict, error) {
				v := verifierFor(t, chain)
				v.Cache = notation.NewCache()
				return v.Verify(t.Context(), kept.Repository(repo), byDigest(t, d))
			}
			for range 2 {
				if _, err := verify(artifact); err != nil {
					t.Fatal(err)
				}
			}
			repo.list(other.Digest, signature) // replayed
			for range 2 {
				verdict, err := verify(other)
				checkRefusal(t, verdict, err, notation.ErrRejected, reason.OCISubjectMismatch)
			}
			listed := repo.listings[artifact.Digest]
			repo.listings[artifact.Digest] = nil // removed, and still kept
			verdict, err := verify(artifact)
			checkRefusal(t, verdict, err, notation.ErrUnsigned, reason.VerifyUnsigned)
			lie := with(signature, func(d *oci.Descriptor) { d.Size++ })
			repo.listings[artifact.Digest] = []oci.Descriptor{lie}
			if _, err = verify(artifact); !errors.Is(err, notation.ErrUndecided) && !errors.Is(err, notation.ErrRejected) {
				t.Errorf("of another size: %v", err)
			}
			if repo.listings[artifact.Digest] = listed; name == "disk" {
				kept.Close()
			}
			if _, err := verify(artifact); err != nil {
				t.Error(err)
			}
		})
	}
}

// A verifier of files has no repository, and the same cache.
//
// attack: ENV-10
func TestCacheOfCertificatesForBlobs(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	signed := signBlob(t, "what is signed", chain, notation.SignBlobOptions{}).Envelope
	kept := notation.NewCache()
	for i, text := range []string{"what is signed", "what is not", "what is signed", "what is not"} {
		v := verifierFor(t, chain)
		v.Policy, v.Cache = blobPolicy(t), kept
		verdict, err := v.VerifyBlob(t.Context(), strings.NewReader(text), signed, notation.VerifyBlobOptions{Name: fmt.Sprint(i)})
		if i%2 == 0 && err != nil {
			t.Error(err)
		}
		if i%2 == 1 {
			checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyOtherArtifact)
		}
	}
}
