package dn

import "testing"

const benchText = "C=US, ST=WA, L=Seattle, O=wabbit-networks.io, OU=Security, CN=SecureBuilder"

func benchSubject() []byte {
	return usual(utf8Attr("2.5.4.7", "Seattle"), utf8Attr(oidOU, "Security"), utf8Attr(oidCN, "SecureBuilder"))
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(benchText); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromDER(b *testing.B) {
	raw := benchSubject()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromDER(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatches(b *testing.B) {
	pattern, subject := mustParse(b, "C=US, ST=WA, O=acme"), mustDER(b, benchSubject())
	b.ReportAllocs()
	for b.Loop() {
		if !pattern.Matches(subject) {
			b.Fatal("no match")
		}
	}
}
