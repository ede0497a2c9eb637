package trust_test

import (
	"crypto/x509"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// TestReadAgain: a store that could not be read is read again, and one whose
// content is no good is not.
func TestReadAgain(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	fsys := &faultyFS{MapFS: fstest.MapFS{"ca/acme/r.pem": file(root.Raw), "tsa/acme/r.pem": file(nil)}, open: "ca/acme/r.pem"}
	s := trust.NewStores(fsys)
	refs := []trust.StoreRef{caAcme}
	if _, found, err := s.Find(refs, root); found || !trust.IsUnreadable(err) {
		t.Errorf("%t, %v", found, err)
	}
	_, _, err := s.Load(tsAcme)
	wantCode(t, err, reason.StoreCertificate)
	fsys.open = ""
	fsys.MapFS["tsa/acme/r.pem"] = file(root.Raw)
	if _, found, err := s.Find(refs, root); !found || err != nil {
		t.Errorf("%t, %v", found, err)
	}
	_, _, err = s.Load(tsAcme)
	wantCode(t, err, reason.StoreCertificate)
	// What was read once stays.
	fsys.open = "ca/acme/r.pem"
	if certs, _, err := s.Load(caAcme); len(certs) != 1 || err != nil {
		t.Errorf("%d certificates, %v", len(certs), err)
	}
}

func TestIsUnreadable(t *testing.T) {
	t.Parallel()
	unreadable := reason.Errorf(reason.StoreUnreadable, "disk")
	missing := reason.Errorf(reason.StoreNotFound, "none")
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{missing, false},
		{errors.New("other"), false},
		{unreadable, true},
		{errors.Join(missing, unreadable), true},
		{errors.Join(missing, errors.Join(missing, unreadable)), true},
		{errors.Join(missing, missing), false},
	} {
		if got := trust.IsUnreadable(tt.err); got != tt.want {
			t.Errorf("IsUnreadable(%v) = %t", tt.err, got)
		}
	}
	s := trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{caAcme: nil})
	if _, _, err := s.Load(caAcme); trust.IsUnreadable(err) {
		t.Error(err)
	}
}
