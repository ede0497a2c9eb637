//go:build unix

package main

import (
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
)

// TestScale has the product audit more than one repository, twice. It fails if a
// signature does not verify.
func TestScale(t *testing.T) {
	t.Parallel()
	c, err := parseFlags([]string{"-n", "3,250", "-rtt", "1ms", "--", "--no-cache"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	rows := regexp.MustCompile(`(?m)^ +(\d+) .* (\d+)$`).FindAllStringSubmatch(out.String(), -1)
	if len(rows) != len(c.sizes) {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		n, err := strconv.Atoi(row[1])
		if err != nil || n != c.sizes[i] {
			t.Errorf("row %q", row[0])
		}
		// A tag, a listing and a signature.
		if requests, err := strconv.Atoi(row[2]); err != nil || requests < trips*n {
			t.Errorf("%d artifacts took %d requests", n, requests)
		}
	}
}

// TestSignatures makes some that are different from each other and each hold for
// an image of its own.
func TestSignatures(t *testing.T) {
	t.Parallel()
	m, err := newMaker(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 1_000, maxArtifacts - 1} {
		raw, err := m.make(i)
		if err != nil {
			t.Fatal(err)
		}
		s, err := oci.ParseSignatureManifest(raw, describe(i).Digest)
		if err != nil {
			t.Fatal(err)
		}
		u, err := envelope.Parse(envelope.MediaTypeJWS, s.Inline)
		if err != nil {
			t.Fatal(err)
		}
		v, err := u.Verify()
		if err != nil {
			t.Fatal(err)
		}
		if got, target := v.Content().Target, describe(i); got.Digest != target.Digest || got.Size != target.Size {
			t.Errorf("image %d: %+v", i, got)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	c, err := parseFlags([]string{"-notation", "x"}, io.Discard)
	if err != nil || len(c.sizes) != 3 || c.concurrency != audit.DefaultConcurrency {
		t.Errorf("%+v, %v", c, err)
	}
	for _, args := range [][]string{{"-n", "0"}, {"-n", "x"}, {"-n", ""}, {"-n", "1000001"}, {"-rtt", "1"}, {"-no-such-flag"}} {
		if _, err := parseFlags(args, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
