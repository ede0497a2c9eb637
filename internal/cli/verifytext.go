package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

func (d *verifyDocument) text(p *page) {
	if d.silent {
		return
	}
	for i, v := range d.Verdicts {
		if i > 0 {
			p.line("")
		}
		v.text(p)
	}
}

// text shows the artifact, then its signatures against the checks, then what
// was wrong. Scripts look for the beginning of the success line, so nothing
// but a verdict that passed may print it.
func (v verdictJSON) text(p *page) {
	if v.Verdict == nil {
		p.styledLine(bad, "No verdict on %s", v.Requested)
		return
	}
	name := v.shownName()
	switch {
	case v.err == nil && v.Verdict.Outcome == notation.Passed:
		p.line("Successfully verified signature for %s", name) // scripts look for it at the beginning of a line
	case v.ExitCode == exitUsage:
		p.styledLine(bad, "No verdict on %s", name)
	case v.Verdict.Outcome == notation.Skipped:
		p.styledLine(warned, "%s not verified: policy statement %q says skip", name, v.Verdict.Statement)
	case v.Verdict.Outcome == notation.Unsigned:
		p.styledLine(bad, "Unsigned %s", name)
	case v.Verdict.Outcome == notation.Undecided:
		p.styledLine(bad, "Undecided %s", name)
	default:
		p.styledLine(bad, "Rejected %s", name)
	}
	if v.Verdict.Index != "" {
		p.line("  %s", foundIn(v.Verdict))
	}
	if len(v.Verdict.Signatures) > 0 {
		p.table("  ", signatureTable(v.Verdict.Signatures))
	}
	if v.MoreSignatures > 0 {
		p.line("  %s", count(v.MoreSignatures, "more signature")+", not passed")
	}
	for _, f := range v.Verdict.Findings {
		if f.Message != "" && f.Outcome != notation.Passed {
			p.line("  %s: %s [%s]", f.Check, f.Message, f.Reason)
		}
	}
	if s := v.Verdict.Accepted(); s != nil && v.Verdict.Outcome == notation.Passed {
		p.line("  %s", acceptedBecause(v.Verdict, s))
	}
}

// foundIn says where the artifact was found, and whether that is why it passes.
func foundIn(v *notation.Verdict) string {
	where := "in the index " + string(v.Index)
	if v.Platform != "" {
		where = named(v.Platform) + ", " + where
	}
	if v.CoveredBy != "" {
		where += ", covered by the signature of the index " + string(v.CoveredBy)
	}
	return where
}

// acceptedBecause says on what the success rests.
func acceptedBecause(v *notation.Verdict, s *notation.SignatureVerdict) string {
	why := fmt.Sprintf("statement %q (%s)", v.Statement, v.Level)
	if s.Store == "" || s.Identity == "" && s.Plugin == "" {
		return why + "; nobody vouches for the signer"
	}
	why += ", trust store " + s.Store
	switch s.Identity {
	case "": // judged by the plugin
		why += ", identity accepted by plugin " + s.Plugin
	case "*":
	default:
		why += ", identity " + s.Identity
	}
	if s.Identity != "" && s.Plugin != "" {
		why += ", accepted by plugin " + s.Plugin
	}
	if len(s.Metadata) > 0 {
		var pairs []string
		for k, value := range s.Metadata {
			pairs = append(pairs, k+"="+value)
		}
		slices.Sort(pairs)
		why += "; signed metadata " + strings.Join(pairs, ", ")
	}
	return why
}

// columnNames are shorter than the checks' names where a table needs it.
func columnName(c notation.Check) string {
	if c == notation.CheckAuthenticTimestamp {
		return "TIMESTAMP"
	}
	return strings.ToUpper(string(c))
}

// signatureTable shows signatures against checks, and under each signature the
// reasons of what is not as it should be.
func signatureTable(signatures []notation.SignatureVerdict) [][]cell {
	var checks []notation.Check
	for _, s := range signatures {
		for _, f := range s.Findings {
			if !slices.Contains(checks, f.Check) {
				checks = append(checks, f.Check)
			}
		}
	}
	head := row("SIGNATURE", "SIGNER")
	for _, c := range checks {
		head = append(head, cell{text: columnName(c)})
	}
	for i := range head {
		head[i].style = faint
	}
	rows := [][]cell{head}
	for _, s := range signatures {
		line := row(shortDigest(s.Digest), cmp.Or(commonName(s.Subject), "-"))
		for _, c := range checks {
			line = append(line, outcomeCell(s.Findings, c))
		}
		rows = append(rows, line)
		if t := s.Timestamp; t != nil && s.Outcome == notation.Passed {
			rows = append(rows, row(fmt.Sprintf("  time stamp: %s, policy %s, by %s, trust store %s", timeRange(t), t.Policy, t.Authority, t.Store)))
		}
		for _, f := range s.Findings {
			if f.Check == notation.CheckRevocation && f.Outcome == notation.Passed && s.Outcome == notation.Passed {
				rows = append(rows, row("  revocation: "+f.Message)) // how fresh that is
			}
			if f.Message != "" && f.Outcome != notation.Passed && f.Outcome != notation.Skipped {
				rows = append(rows, row(fmt.Sprintf("  %s: %s [%s]", f.Check, f.Message, f.Reason)))
			}
		}
		for _, line := range unchecked(s.Findings) {
			rows = append(rows, row("  "+line))
		}
	}
	return rows
}

// unchecked says why checks were not made that the policy does not skip, in one
// line for all with the same reason.
func unchecked(findings []notation.Finding) []string {
	var lines []string
	for i, f := range findings {
		same := func(g notation.Finding) bool {
			return g.Outcome == notation.Skipped && g.Reason == f.Reason && g.Message == f.Message
		}
		if f.Outcome != notation.Skipped || f.Reason == reason.VerifySkippedByPolicy || f.Message == "" || slices.ContainsFunc(findings[:i], same) {
			continue
		}
		var checks []string
		for _, g := range findings[i:] {
			if same(g) {
				checks = append(checks, string(g.Check))
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %s [%s]", strings.Join(checks, ", "), f.Message, f.Reason))
	}
	return lines
}

// timeRange says when a signature was stamped: from the earliest to the latest
// time that the authority's accuracy allows.
func timeRange(t *notation.Timestamp) string {
	earliest, latest := t.Earliest.Format(time.RFC3339Nano), t.Latest.Format(time.RFC3339Nano)
	if earliest == latest {
		return earliest
	}
	return earliest + " to " + latest
}

func outcomeCell(findings []notation.Finding, check notation.Check) cell {
	i := slices.IndexFunc(findings, func(f notation.Finding) bool { return f.Check == check })
	if i < 0 {
		return cell{text: "-", style: faint}
	}
	styles := map[notation.Outcome]style{
		notation.Passed: good, notation.Logged: warned, notation.Skipped: faint,
	}
	st, ok := styles[findings[i].Outcome]
	if !ok {
		st = bad
	}
	text := findings[i].Outcome.String()
	if findings[i].Outcome == notation.Skipped && findings[i].Reason != reason.VerifySkippedByPolicy {
		text = "not checked"
	}
	return cell{text: text, style: st}
}

// shortDigest keeps the beginning of a digest, enough for people to tell
// signatures of one artifact apart. JSON has the whole.
func shortDigest(d digest.Digest) string {
	const kept = 12
	algorithm, encoded, ok := strings.Cut(string(d), ":")
	if !ok {
		return "-"
	}
	return algorithm + ":" + encoded[:min(len(encoded), kept)]
}

// maxName bounds the width of a name in a table.
const maxName = 40

// commonName returns the CN of a printed subject, or the subject, cut to what
// fits a table.
func commonName(subject string) string {
	name := subject
	for part := range strings.SplitSeq(subject, ",") {
		if cn, ok := strings.CutPrefix(strings.TrimSpace(part), "CN="); ok {
			name = "CN=" + cn
			break
		}
	}
	if runes := []rune(name); len(runes) > maxName {
		return string(runes[:maxName-3]) + "..."
	}
	return name
}
