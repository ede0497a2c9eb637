package token

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
	"github.com/notaryv2/notation/reason"
)

// Token is a token in a slot. It is safe for concurrent use.
type Token struct {
	m        *Module
	slot     uint
	info     pkcs11.TokenInfo // as it was when the token was opened
	pins     pin.Source
	sessions *sessions

	turn  chan struct{} // held while the fields below are used
	login loginState
	one   chan struct{} // held while a key is used that wants the PIN each time
}

// slotted is a token that is there.
type slotted struct {
	slot uint
	desc pkcs11.SlotInfo
	info pkcs11.TokenInfo
}

// tokens returns the initialised tokens that are there.
func (m *Module) tokens() ([]slotted, error) {
	slots, err := m.c.GetSlotList(true)
	if err != nil {
		return nil, moduleFault(m.path, err)
	}
	var all []slotted
	for _, slot := range slots[:min(len(slots), maxSlots)] {
		desc, err := m.c.GetSlotInfo(slot)
		if err != nil {
			continue // gone, or a reader without a token
		}
		info, err := m.c.GetTokenInfo(slot)
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		all = append(all, slotted{slot, desc, info})
	}
	return all, nil
}

// matches compares a token with what the URI says of it, RFC 7512 section 2.5.
func (s slotted) matches(u *uri.URI) bool {
	same := func(want, have string) bool { return want == "" || want == strings.TrimRight(have, " \x00") }
	return same(u.Token, s.info.Label) && same(u.Serial, s.info.SerialNumber) && same(u.Model, s.info.Model) &&
		same(u.Manufacturer, s.info.ManufacturerID) && same(u.SlotDescription, s.desc.SlotDescription) &&
		same(u.SlotManufacturer, s.desc.ManufacturerID) && (u.SlotID == nil || *u.SlotID == uint64(s.slot))
}

// library compares the module with what the URI says of it.
func (m *Module) library(u *uri.URI) bool {
	same := func(want, have string) bool { return want == "" || want == strings.TrimRight(have, " \x00") }
	return same(u.LibraryDescription, m.info.LibraryDescription) && same(u.LibraryManufacturer, m.info.ManufacturerID) &&
		u.MatchesLibrary(m.info.LibraryVersion.Major, m.info.LibraryVersion.Minor)
}

// Open returns the one token that a URI matches. The error has the code
// token.missing, token.ambiguous or token.module.
func (m *Module) Open(u *uri.URI, pins pin.Source) (*Token, error) {
	all, err := m.tokens()
	if err != nil {
		return nil, err
	}
	matching := slices.Clone(all)
	if !m.library(u) {
		matching = nil
	}
	matching = slices.DeleteFunc(matching, func(s slotted) bool { return !s.matches(u) })
	switch {
	case len(matching) == 0 && len(all) == 0:
		return nil, reason.Errorf(reason.TokenMissing, "the module %s has no token", quote(m.path)).
			WithHint("Insert the token, and check that its reader is connected.")
	case len(matching) == 0:
		return nil, reason.Errorf(reason.TokenMissing, "no token matches the key id; there is %s", names(all)).
			WithHint("Insert the token, or correct the key id; 'notation-pkcs11 list' shows the tokens.")
	case len(matching) > 1:
		return nil, reason.Errorf(reason.TokenAmbiguous, "%d tokens match the key id: %s", len(matching), names(matching)).
			WithHint("Add token=NAME or serial=NUMBER to the key id.")
	}
	return m.token(matching[0], pins), nil
}

func (m *Module) token(s slotted, pins pin.Source) *Token {
	return &Token{
		m: m, slot: s.slot, info: s.info, pins: pins,
		sessions: newSessions(m.c, s.slot, s.info.MaxSessionCount),
		turn:     make(chan struct{}, 1), one: make(chan struct{}, 1),
	}
}

// names lists tokens for a message.
func names(all []slotted) string {
	var texts []string
	for _, s := range all[:min(len(all), maxNamed)] {
		texts = append(texts, fmt.Sprintf("%s with the serial number %s", quote(s.info.Label), quote(s.info.SerialNumber)))
	}
	if more := len(all) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

// take waits for a place in a channel of one, or for the end of ctx.
func take(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return interrupted(ctx)
	}
}

func interrupted(ctx context.Context) error {
	return reason.Wrap(reason.TokenInterrupted, ctx.Err(), "the token was not waited for any longer").WithHint("Try again, or allow more time.")
}

// Close closes the sessions, which logs out. Signatures that are being made
// fail.
func (t *Token) Close() { t.sessions.close() }
