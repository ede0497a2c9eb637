package report

// write writes the page.
func (v *view) write(m markup) {
	m.put("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	m.put("<meta http-equiv=\"Content-Security-Policy\" content=\"")
	m.asset("", policy(), "\">\n")
	m.asset("<style>", pageStyle, "</style>\n")
	m.put("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n" +
		"<meta name=\"referrer\" content=\"no-referrer\">\n")
	m.put("<title>{}</title>\n</head>\n<body>\n<a class=\"skip\" href=\"#why\">Skip to what does not pass</a>\n<header>\n<h1>{}</h1>\n<dl class=\"facts\">", v.Title, v.Title)
	for _, f := range v.Facts {
		m.put("<div><dt>{}</dt><dd>{}</dd></div>", f.Name, f.Value)
	}
	m.put("</dl>\n")
	m.some(`<p class="incomplete" role="alert">{}</p>`, v.Incomplete)
	m.put("</header>\n<main>\n")
	v.writeShare(m)
	v.writeReasons(m)
	v.writeSigners(m)
	v.writeExpiry(m)
	v.writeRepositories(m)
	v.writeTrust(m)
	v.writeDetails(m)
	m.put("</main>\n<footer><p>Times are in UTC. A signer is named only where the trust policy vouches for it. " +
		"This page asks nobody for anything; it is as true as the machine that has made it.</p></footer>\n")
	m.asset("<script>", pageScript, "</script>\n</body>\n</html>\n")
}

// begin begins a section.
func begin(m markup, id, title literal) {
	m.put(`<section aria-labelledby="` + id + `">` + "\n" + `<h2 id="` + id + `">` + title + "</h2>\n")
}

const end literal = "</section>\n\n"

func (v *view) writeShare(m markup) {
	m.put("<section aria-labelledby=\"how-much\">\n<h2 id=\"how-much\" class=\"quiet\">How much is signed</h2>\n")
	m.put("<p class=\"lead\"><strong>{}</strong> <span>of {} pass the trust policy. {}</span></p>\n", v.Share, v.Artifacts, v.Signed)
	m.outcomes("big", v.BarText, v.Bar)
	m.put("\n<ul class=\"tiles\">")
	for _, o := range v.Outcomes {
		m.put("\n<li><span class=\"key {}\"></span><b>{}</b> <span class=\"word\">{}</span> <span class=\"share\">{}</span><small>{}</small></li>",
			o.Word, o.Count, o.Word, o.Share, o.Meaning)
	}
	m.put("\n</ul>\n" + end)
}

func (v *view) writeReasons(m markup) {
	begin(m, "why", "What does not pass, and why")
	if len(v.Reasons) == 0 {
		m.put(`<p class="good">Nothing: all that was looked at passes.</p>` + "\n")
	}
	for _, r := range v.Reasons {
		m.put("<article class=\"reason\">\n<h3><span class=\"badge {}\">{}</span> <code>{}</code> <span class=\"count\">{} <small>{}</small></span></h3>\n",
			r.Outcome, r.Outcome, r.Code, r.Count, r.Share)
		m.some("<p>{}</p>\n", r.Meaning)
		m.some(remedy+"\n", r.Remedy)
		m.put("<details><summary>Examples</summary><ul>")
		for _, e := range r.Examples {
			m.put("<li><code>{}</code>", e.Name)
			m.some("<p>{}</p>", e.Message)
			m.some(remedy, e.Hint)
			m.put("</li>")
		}
		m.put("</ul>")
		m.more(r.More)
		m.put("</details>\n</article>\n")
	}
	m.more(v.MoreReasons)
	m.put(end)
}

const remedy literal = `<p class="remedy"><b>Remedy</b> {}</p>`

func (v *view) writeSigners(m markup) {
	begin(m, "who", "Signed by")
	if len(v.Signers) == 0 {
		m.put("<p>No artifact passes, so there is no signer to be named.</p>\n" + end)
		return
	}
	m.table("", []string{"Signer", "Trust store", "#Artifacts", "#Of those that pass", "|Share"}, func() {
		for _, s := range v.Signers {
			m.put(`<tr><th scope="row">{}</th><td>{}</td><td class="n">{}</td><td class="n">{}</td>`, s.Name, s.Note, s.Count, s.Share)
			m.share(s.Width)
		}
	})
	m.more(v.MoreSigners)
	m.put("\n" + end)
}

func (v *view) writeExpiry(m markup) {
	begin(m, "when", "What expires when")
	if len(v.Expiry.Columns) == 0 {
		m.put("<p>No artifact passes, so nothing can expire.</p>\n" + end)
		return
	}
	m.put("<p>When the signatures end that artifacts pass by: by the date that the signer has set or, without a time stamp, with the certificate.</p>\n")
	m.chart(&v.Expiry)
	if len(v.Endings) > 0 {
		m.put("<h3>Next to expire</h3>\n")
		m.table("", []string{"Day", "#Artifacts", "What ends", "Signer"}, func() {
			for _, e := range v.Endings {
				m.put(`<tr><td class="date">{}</td><td class="n">{}</td><td>{}</td><td>{}</td></tr>`, e.Day, e.Count, e.What, e.By)
			}
		})
		m.more(v.MoreEndings)
	}
	m.put("\n" + end)
}

func (v *view) writeRepositories(m markup) {
	begin(m, "where", "Repositories, worst first")
	if len(v.Repositories) == 0 {
		m.put("<p>There are none.</p>\n" + end)
		return
	}
	writePlaces(m, "Repository", v.Repositories)
	m.more(v.MoreRepositories)
	m.put("\n" + end)
}

// writePlaces writes a table of outcomes.
func writePlaces(m markup, what string, places []repositoryView) {
	m.table("", []string{what, "#Artifacts", "#Pass", "#Rejected", "#Unsigned", "#Undecided", "#Skipped", "#Share", "|Outcomes"}, func() {
		for _, p := range places {
			m.put(`<tr><th scope="row">{}</th><td class="n">{}</td>`, p.Name, p.Total)
			for _, n := range p.Counts {
				m.put(`<td class="n">{}</td>`, n)
			}
			m.put(`<td class="n">{}</td><td class="w">`, p.Share)
			m.outcomes("bar", p.Text, p.Bar)
			m.put("</td></tr>")
		}
	})
}

func (v *view) writeTrust(m markup) {
	if len(v.Statements) == 0 {
		return
	}
	begin(m, "trust", "Trust")
	m.put("<h3>Statements of the policy</h3>\n")
	writePlaces(m, "Statement", v.Statements)
	m.more(v.MoreStatements)
	if len(v.Roots) > 0 {
		m.put("<div class=\"pair\"><div><h3>Signatures by root</h3>\n")
		m.table("", []string{"Root certificate", "Trust store", "#Signatures", "|Share"}, func() {
			for _, r := range v.Roots {
				m.put(`<tr><th scope="row">{}</th><td>{}</td><td class="n">{}</td>`, r.Name, r.Note, r.Count)
				m.share(r.Width)
			}
		})
		m.more(v.MoreRoots)
		m.put("</div>\n<div><h3>Signatures by trust store</h3>\n")
		m.table("", []string{"Trust store", "#Signatures", "|Share"}, func() {
			for _, s := range v.Stores {
				m.put(`<tr><th scope="row">{}</th><td class="n">{}</td>`, s.Name, s.Count)
				m.share(s.Width)
			}
		})
		m.more(v.MoreStores)
		m.put("</div></div>")
	}
	m.put("\n" + end)
}

func (v *view) writeDetails(m markup) {
	begin(m, "what", "Artifacts")
	m.put("<p>{} of {}, those first that did not pass.", v.DetailsShown, v.DetailsTotal)
	m.some(" {} in the JSON lines of this audit.", v.DetailsMore)
	m.put("</p>\n")
	if len(v.Details) == 0 {
		m.put(end)
		return
	}
	m.put("<p class=\"onpaper\">Those that pass are not printed.</p>\n<form id=\"filter\" class=\"filter\" hidden>" +
		`<label>Find <input type="search" id="find" autocomplete="off" spellcheck="false"></label><fieldset><legend class="quiet">Outcome</legend>`)
	for _, o := range v.Outcomes {
		m.put(`<label><input type="checkbox" value="{}" checked> {}</label>`, o.Word, o.Word)
	}
	m.put("</fieldset><output id=\"shown\" for=\"find\"></output></form>\n")
	m.table(` id="artifacts"`, []string{"Outcome", "Artifact", "Signer, or what stands in the way", "Ends"}, func() {
		for i := range v.Details {
			v.Details[i].write(m)
		}
		m.put("\n")
	})
	m.put("\n" + end)
}

func (d *detailView) write(m markup) {
	m.put("\n<tr")
	if d.Outcome == passed.String() {
		m.put(` class="ok"`)
	}
	m.put(`><td><span class="badge {}">{}</span></td><td><b>{}</b>`, d.Outcome, d.Outcome, d.Repository)
	m.some(` <span class="tags">{}</span>`, d.Tags)
	m.some("<code>{}</code>", d.Digest)
	m.put("</td><td>{}", d.By)
	m.some(" <code>{}</code>", d.Note)
	m.some(`<span class="note">{}</span>`, d.Why)
	m.put(`</td><td class="date"`)
	m.some(` data-v="{}"`, d.SortEnds)
	m.put(">{}</td></tr>", d.Ends)
}
