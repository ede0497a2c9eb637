package audit

import (
	"bytes"
	"os"
	"testing"
	"time"
)

func FuzzRecord(f *testing.F) {
	f.Add([]byte(lineOf(f, record("a", "1", outcomePassed, "v1"))))
	f.Add([]byte(`{"repository":"r.example/a","outcome":"undecided","exitCode":3,"time":"2026-05-04T03:02:01Z"}`))
	f.Add([]byte(headerLine))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := ParseRecord(raw)
		if err != nil {
			return
		}
		line, err := r.Encode()
		if err != nil {
			return
		}
		again, err := ParseRecord(trimmed(line))
		if err != nil || again.Name() != r.Name() || sortKeyOf(&again) != sortKeyOf(&r) {
			t.Errorf("%s: %v", line, err)
		}
	})
}

func FuzzStateFile(f *testing.F) {
	good := lineOf(f, record("a", "1", outcomePassed, "v1"))
	for _, s := range []string{"", headerLine, headerLine + good, headerLine + good[:30], good, headerLine + headerLine + good + good} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := file(t, string(raw))
		a, s, err := OpenState(path, "sha256:f", time.Time{})
		if err != nil {
			if now, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(now, raw) {
				t.Error("a file that is refused was changed")
			}
			return
		}
		add(t, a, record("z", "new", outcomePassed))
		wantCode(t, a.Close(), "")
		a, again, err := OpenState(path, "sha256:f", time.Time{})
		if err != nil || again.Torn || again.Records < s.Records || again.Records > s.Records+1 {
			t.Fatalf("%+v after %+v, %v", again, s, err)
		}
		if len(all(t, a.Records())) != again.Records {
			t.Error("not all can be read")
		}
		wantCode(t, a.Close(), "")
	})
}
