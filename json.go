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
		p.Signatures[i] = s.withList()
	}
	if v.CoveringSignature != nil {
		covering := v.CoveringSignature.withList()
		p.CoveringSignature = &covering
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

// withList returns s with a list of findings, be it an empty one.
func (s SignatureVerdict) withList() SignatureVerdict {
	if s.Findings == nil {
		s.Findings = []Finding{}
	}
	return s
}
