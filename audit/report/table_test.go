package report_test

import (
	"strings"
	"testing"

	"github.com/notaryv2/notation/audit/report"
)

// TestTable reads the table of a small registry line by line.
func TestTable(t *testing.T) {
	t.Parallel()
	o := options()
	o.Incomplete = "the registry has given no answer"
	got := render(t, report.Table, o, example(2000)...)
	for _, want := range []string{
		"Audit of registry.example.com\n2,000 artifacts in 72 repositories, verified 2026-05-04 09:30 to 09:33 UTC\n" +
			"Not everything was looked at: the registry has given no answer.\nPolicy: trustpolicy.oci.json, version 1.0\n",
		"\nOutcome\n  1,604  80.2 %  passed\n     62   3.1 %  rejected\n    153   7.6 %  unsigned\n     24   1.2 %  undecided\n    157   7.8 %  skipped\n",
		"\nWhy artifacts did not pass\n  153 unsigned: verify.unsigned\n      The artifact has no signature, and that is certain.\n      Remedy: Sign the artifact",
		"\n  239  11.9 %  CN=Upstream Mirror,O=Partner GmbH,L=München,ST=Bayern,C=DE           ca:partners\n  228",
		"\nSignatures by trust store\n  695  signingAuthority:cloud\n  670  ca:production\n",
		"\n    0     0 %  expired\n  229  14.2 %  within 30 days\n",
		"  221  2026-05-25  certificate  CN=Build 12,",
		"\n  passed  rejected  unsigned  undecided  skipped  statement\n       0        18         0          0        0  (no statement applies)\n",
		"  passed  rejected  unsigned  undecided  skipped  repository\n      85         3         8          3        0  registry.example.com/payments/proxy\n",
		"  and 62 more repositories with 1,204 artifacts, of which 142 did not pass\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the table does not say %q", want)
		}
	}
	for line := range strings.Lines(got) {
		if strings.TrimRight(line, " \n")+"\n" != line {
			t.Errorf("%q ends with spaces", line)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// TestTableOfNothing is about an audit that has found nothing.
func TestTableOfNothing(t *testing.T) {
	t.Parallel()
	got := render(t, report.Table, report.Options{})
	if !strings.HasPrefix(got, "Audit\n0 artifacts in 0 repositories\n\nOutcome\n  0  0 %  passed\n") || strings.Contains(got, "Signed by") {
		t.Errorf("got %s", got)
	}
}
