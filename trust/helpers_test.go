package trust_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// statement returns a good OCI statement, changed by edits.
func statement(edits ...func(*trust.StatementDocument)) trust.StatementDocument {
	s := trust.StatementDocument{
		Name:                  "wabbit-networks-images",
		RegistryScopes:        []string{"registry.example/net-monitor"},
		SignatureVerification: trust.VerificationDocument{Level: "strict"},
		TrustStores:           []string{"ca:wabbit-networks"},
		TrustedIdentities:     []string{"x509.subject: C=US, ST=WA, O=wabbit-networks.io"},
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

// blobStatement returns a good blob statement, changed by edits.
func blobStatement(edits ...func(*trust.StatementDocument)) trust.StatementDocument {
	s := statement(func(s *trust.StatementDocument) { s.RegistryScopes = nil })
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func document(statements ...trust.StatementDocument) trust.Document {
	return trust.Document{Version: "1.0", Statements: statements}
}

func mustPolicy(t testing.TB, kind trust.Kind, statements ...trust.StatementDocument) *trust.Policy {
	t.Helper()
	p, err := document(statements...).Policy(kind, kind.String()+".json")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// each returns the errors that err joins.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

func codes(err error) []reason.Code {
	var all []reason.Code
	for _, e := range each(err) {
		all = append(all, reason.Of(e))
	}
	return all
}

// checkError asserts what holds for every error of the package: a documented
// code, a hint, and a text that is safe on a terminal.
func checkError(t testing.TB, err error) {
	t.Helper()
	for _, e := range each(err) {
		code := reason.Of(e)
		if !slices.ContainsFunc(reason.All(), func(entry reason.Entry) bool { return entry.Code == code }) {
			t.Errorf("%v: code %q is not documented", e, code)
		}
		if reason.Hint(e) == "" && !strings.HasPrefix(e.Error(), "and more") {
			t.Errorf("%v: no hint", e)
		}
		if text := e.Error(); strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "...") {
			t.Errorf("%q ends in a full stop", text)
		}
		for _, text := range []string{e.Error(), reason.Hint(e)} {
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q is not safe to print", text)
			}
		}
	}
}

// wantCode asserts that err consists of exactly the given codes, in order.
func wantCode(t testing.TB, err error, want ...reason.Code) {
	t.Helper()
	checkError(t, err)
	if got := codes(err); !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v: %v", got, want, err)
	}
}

// numbered returns n strings made from a format with one %d.
func numbered(n int, format string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}
