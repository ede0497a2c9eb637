package cli

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/notaryv2/notation/revocation"
	"github.com/opencontainers/go-digest"
)

func digestOfBytes(data []byte) string { return string(digest.FromBytes(data)) }

func (d *bundleDocument) text(p *page) {
	for i := range d.Artifacts {
		if s := d.Artifacts[i].Source; s != nil {
			s.text(p)
		}
	}
	verb := ""
	if d.exported {
		verb = "Wrote "
	}
	size := ""
	if d.Size > 0 {
		size = ", " + bytesText(d.Size)
	}
	p.line("%s%s, made at %s%s", verb, named(d.Path), d.Created, size)
	d.artifactsText(p)
	d.answersText(p)
	if d.Trust == nil {
		p.line("No trust policy")
		return
	}
	p.line("Trust policy %s, not used by itself: 'notation bundle trust' takes it out for review", d.Trust.Policy)
	p.table("  ", certificateRows(d.Trust.Certificates))
}

func faintRow(texts ...string) []cell {
	r := row(texts...)
	for i := range r {
		r[i].style = faint
	}
	return r
}

func (d *bundleDocument) artifactsText(p *page) {
	if len(d.Artifacts) == 0 {
		p.line("No artifacts")
		return
	}
	p.line("Artifacts")
	rows := [][]cell{faintRow("NAME", "ORIGIN", "DIGEST", "MANIFESTS", "BLOBS", "SIZE")}
	for _, a := range d.Artifacts {
		origin := a.Origin
		if a.Tag != "" {
			origin += ":" + a.Tag
		}
		rows = append(rows, row(a.Name, origin, string(a.Digest), fmt.Sprint(a.Manifests), fmt.Sprint(a.Blobs), bytesText(a.TotalSize)))
	}
	p.table("  ", rows)
}

func (d *bundleDocument) answersText(p *page) {
	if len(d.Revocation) == 0 {
		p.line("No answers about revocation")
		return
	}
	p.line("Answers about revocation")
	rows := [][]cell{faintRow("KIND", "FROM", "UNTIL", "BY", "ASKED")}
	for i := range d.Revocation {
		a := &d.Revocation[i]
		kind := a.Method
		if a.Delta {
			kind += ", changes"
		}
		line := row(kind, a.ThisUpdate, cmp.Or(a.NextUpdate, "not said"), a.By, cmp.Or(a.Source, "-"))
		if !a.until.IsZero() && a.until.Before(d.now) {
			line[2] = cell{text: a.NextUpdate + ", over", style: bad}
		}
		rows = append(rows, line)
	}
	p.table("  ", rows)
	if d.VerifiableUntil != "" {
		p.line("  with these, all can be verified without network until %s", d.VerifiableUntil)
	}
}

func certificateRows(all []bundleCertificateJSON) [][]cell {
	rows := [][]cell{faintRow("STORE", "SHA-256", "SUBJECT", "EXPIRES")}
	for _, c := range all {
		rows = append(rows, row(c.Store, c.Fingerprint, c.IssuedTo, c.Expiry))
	}
	return rows
}

func (d *bundleTrustDocument) text(p *page) {
	p.line("Wrote %s and %s, which nothing uses yet", named(d.Policy), named(d.TrustStore))
	p.table("  ", certificateRows(d.Certificates))
	p.line("Compare these fingerprints, and the policy, with what you were told in another way. Then use")
	p.line("  --policy %s --trust-store %s", d.Policy, d.TrustStore)
}

// shortLived returns the answers that do not say until when they hold, and so
// soon are of no use.
func shortLived(answers []revocation.Recorded) []revocation.Recorded {
	var all []revocation.Recorded
	for _, a := range answers {
		if a.NextUpdate.IsZero() {
			all = append(all, a)
		}
	}
	return all
}

// endsAfter returns when answers end, after an instant, each once and in order.
func endsAfter(answers []revocation.Recorded, now time.Time) []time.Time {
	var ends []time.Time
	for _, a := range answers {
		if a.NextUpdate.After(now) {
			ends = append(ends, a.NextUpdate)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	return slices.CompactFunc(ends, time.Time.Equal)
}
