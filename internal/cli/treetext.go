package cli

import "cmp"

// treeDocument is the result of tree.
type treeDocument struct {
	Reference string    `json:"reference"`
	Verified  bool      `json:"verified"` // whether there are verdicts
	Whole     bool      `json:"whole"`    // false: there may be more than is shown
	Manifests int       `json:"manifests"`
	Blobs     int       `json:"blobs"`
	TotalSize int64     `json:"totalSize"` // of all of them, in bytes
	Tree      *treeJSON `json:"tree"`
}

// treeJSON is a manifest and what is below it.
type treeJSON struct {
	descriptorJSON
	ArtifactType string            `json:"artifactType,omitempty"`
	Platform     string            `json:"platform,omitempty"`
	ContentSize  int64             `json:"contentSize,omitempty"` // with config and layers
	Annotations  map[string]string `json:"annotations,omitempty"`
	// Shown says why nothing more is here: "elsewhere" in the tree it is, or it
	// is "unread".
	Shown     string             `json:"shown,omitempty"`
	Signature *treeSignatureJSON `json:"signature,omitempty"`
	Verdict   *verdictJSON       `json:"verdict,omitempty"`
	Manifests []*treeJSON        `json:"manifests,omitempty"` // of an index
	Referrers []*treeJSON        `json:"referrers,omitempty"`
}

// treeSignatureJSON is what a signature says. Who signed is the signer's claim
// until it is verified.
type treeSignatureJSON struct {
	Integrity integrityJSON `json:"integrity"`
	Signer    string        `json:"signer,omitempty"`
	Time      string        `json:"time,omitempty"`
}

func (d *treeDocument) text(p *page) {
	p.line("%s", d.Reference)
	p.line("%s", d.Tree.about(""))
	if !d.Verified {
		p.line("Not verified against any trust policy.")
	}
	p.tree("", d.Tree.below())
	p.line("%s and %s, %s", count(d.Manifests, "manifest"), count(d.Blobs, "blob"), bytesText(d.TotalSize))
	if !d.Whole {
		p.styledLine(bad, "This is not all: see the error.")
	}
}

func (t *treeJSON) below() []node {
	var nodes []node
	for _, list := range [][]*treeJSON{t.Manifests, t.Referrers} {
		for _, child := range list {
			nodes = append(nodes, node{label: child.about(string(child.Digest) + " "), children: child.below()})
		}
	}
	return nodes
}

// about says in one line what a manifest is. Its digest, if it is to be shown,
// comes first, so that the columns of a level are aligned.
func (t *treeJSON) about(digest string) string {
	line := digest
	if t.Platform != "" {
		line += t.Platform + " "
	}
	switch t.Shown {
	case "elsewhere":
		return line + "(shown elsewhere in the tree)"
	case "unread":
		return line + t.MediaType + " (not read)"
	}
	if s := t.Signature; s != nil {
		line += "signature by " + cmp.Or(s.Signer, "an unknown signer")
		if s.Time != "" {
			line += ", " + s.Time
		}
		if s.Integrity.Outcome == "passed" {
			return line + ", intact"
		}
		return line + ", " + s.Integrity.Outcome + ": " + s.Integrity.Message
	}
	line += cmp.Or(t.ArtifactType, t.MediaType) + ", " + bytesText(t.ContentSize)
	if v := t.Verdict; v != nil {
		line += ": " + v.word()
	}
	return line
}

// word returns a verdict in a word, and who signed what passed.
func (v *verdictJSON) word() string {
	if v.Verdict == nil {
		return "no verdict"
	}
	word := v.Verdict.Word()
	if v.ExitCode == exitUsage {
		word = "no verdict"
	}
	if s := v.Verdict.Accepted(); s != nil && v.ExitCode == exitOK {
		by := ", signed by "
		if v.Verdict.CoveredBy != "" {
			by = ", covered by the index " + shortDigest(v.Verdict.CoveredBy) + " signed by "
		}
		word += by + cmp.Or(s.Subject, "a signer without a subject")
	}
	return word
}
