//go:build !unix

package plugin

import "testing"

func playWild(string) int { return 94 }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func playInstall() int { return 94 }
