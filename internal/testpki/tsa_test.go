package testpki

import (
	"crypto"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTSARefusesNonsense(t *testing.T) {
	t.Parallel()
	tsa := NewTSA(t, Options{})
	for name, tt := range map[string]struct{ method, contentType, body string }{
		"method":         {http.MethodGet, "application/timestamp-query", ""},
		"content type":   {http.MethodPost, "text/plain", ""},
		"body":           {http.MethodPost, "application/timestamp-query", "x"},
		"trailing bytes": {http.MethodPost, "application/timestamp-query", string(DER(0x30, stampInteger(1), DER(0x30, hashIdentifier(OIDSHA256), DER(4)))) + "x"},
		"too large":      {http.MethodPost, "application/timestamp-query", strings.Repeat("x", maxStampRequest+1)},
	} {
		request := httptest.NewRequest(tt.method, "/", strings.NewReader(tt.body))
		request.Header.Set("Content-Type", tt.contentType)
		answer := httptest.NewRecorder()
		tsa.ServeHTTP(answer, request)
		if answer.Code != http.StatusBadRequest {
			t.Errorf("%s: HTTP status %d", name, answer.Code)
		}
	}
}

func TestTSACannotSign(t *testing.T) {
	t.Parallel()
	tsa := NewTSA(t, Options{})
	tsa.ModifyToken = func(k *Token) {
		k.Signers[0].PSS, k.Signers[0].Hash, k.Signers[0].Key = false, crypto.SHA256, WeakKey(t, "ed25519")
	}
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(DER(0x30, stampInteger(1), DER(0x30, hashIdentifier(OIDSHA256), DER(4))))))
	request.Header.Set("Content-Type", "application/timestamp-query")
	answer := httptest.NewRecorder()
	tsa.ServeHTTP(answer, request)
	if answer.Code != http.StatusInternalServerError {
		t.Errorf("HTTP status %d", answer.Code)
	}
	defer func() {
		if recover() == nil {
			t.Error("no failure")
		}
	}()
	tsa.Stamp(recorder{t}, nil, crypto.SHA256)
}

func TestStampInteger(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "\x02\x01\x00", 127: "\x02\x01\x7f", 128: "\x02\x02\x00\x80", -1: "\x02\x01\xff", -128: "\x02\x01\x80", -129: "\x02\x02\xff\x7f",
	} {
		if got := string(StampInteger(big.NewInt(n))); got != want {
			t.Errorf("%d: %x, want %x", n, got, want)
		}
	}
}
