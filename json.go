package notation

import "encoding/json"

// VerdictVersion is the version of a verdict's JSON form. Within a major
// version members are only added.
const VerdictVersion = "1.0"

// MarshalJSON returns the form of specs/verdict.md.
func (v Verdict) MarshalJSON() ([]byte, error) {
	// The method set of plain is empty, so encoding it does not come back here.
	type plain Verdict
	p := plain(v)
	if p.Findings == nil {
		p.Findings = []Finding{}
	}
	p.Signatures = make([]SignatureVerdict, len(v.Signatures))
	for i, s := range v.Signatures {
		if s.Findings == nil {
			s.Findings = []Finding{}
		}
		p.Signatures[i] = s
	}
	out := struct {
		Version string `json:"verdictVersion"`
		Outcome string `json:"outcome"`
		Level   string `json:"level,omitempty"`
		*plain
	}{Version: VerdictVersion, Outcome: v.Word(), plain: &p}
	if v.Statement != "" {
		out.Level = v.Level.String()
	}
	return json.Marshal(out)
}
