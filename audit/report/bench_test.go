package report_test

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/notaryv2/notation/audit/report"
)

// BenchmarkForms renders 100,000 records in each form. live-MB is what a form
// keeps in memory when all are added, and before it is closed.
func BenchmarkForms(b *testing.B) {
	records := example(100_000)
	for _, format := range report.Formats() {
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			var live uint64
			for b.Loop() {
				before := liveBytes()
				r, err := report.New(format, io.Discard, options())
				if err != nil {
					b.Fatal(err)
				}
				for i := range records {
					if err := r.Add(records[i]); err != nil {
						b.Fatal(err)
					}
				}
				live = max(live, liveBytes()-before)
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(records)*b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(live)/(1<<20), "live-MB")
		})
	}
}

func liveBytes() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkPage renders the page of 2,000 records, all of which it lists.
func BenchmarkPage(b *testing.B) {
	records := example(2000)
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		r, err := report.New(report.HTML, &out, options())
		if err != nil {
			b.Fatal(err)
		}
		for i := range records {
			if err := r.Add(records[i]); err != nil {
				b.Fatal(err)
			}
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(out.Len()), "bytes")
	}
}
