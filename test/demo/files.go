package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/notaryv2/notation/test/authority"
	"github.com/notaryv2/notation/test/toolbox"
)

// files signs and verifies a file, without any registry.
func files(ctx context.Context, s *stage) error {
	s.say("Files are signed, too. The signature is a file beside them, and they have a trust policy of their own.")
	for _, step := range []struct {
		name, line string
		exit       int
		lines      []string
	}{
		{"make a file", "echo 'what is in a release' >release.tar", 0, nil},
		{"sign the file", "notation blob sign release.tar", 0, []string{signed}},
		{"trust the signer of files", "notation blob policy init --global --trust-store ca:wabbit-networks.io --trusted-identity '*'", 0, nil},
		{"verify the file", "notation blob verify release.tar", 0, []string{verified}},
		{"change the file", "echo 'and a back door' >>release.tar", 0, nil},
		{"changed file", "notation blob verify release.tar", 1, nil},
	} {
		if err := s.run(ctx, step.name, step.line, step.exit, step.lines...); err != nil {
			return err
		}
	}
	return nil
}

// timeStamp signs with a time stamp of openssl, where that is installed.
func timeStamp(ctx context.Context, s *stage) (err error) {
	if _, err := toolbox.Find("openssl"); err != nil {
		s.say("A time stamp is left out: openssl, which would be the authority, is not installed.")
		return nil
	}
	dir, err := os.MkdirTemp("", "notation-demo-tsa-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ca, err := authority.New(filepath.Join(dir, "ca"), authority.Options{NoOCSP: true, NoCRL: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ca.Close()) }()
	if err := ca.Issue("tsa", authority.Certificate{TimeStamping: true}); err != nil {
		return err
	}
	tsa, err := authority.NewTSA(filepath.Join(dir, "tsa"), ca, "tsa")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tsa.Close()) }()

	s.say("A time stamp keeps a signature good when the signer's certificate has expired. openssl is the authority, at %s.", tsa.URL())
	s.export("TSA", tsa.URL())
	s.export("TSA_ROOT", ca.RootFile())
	for _, step := range []struct{ name, line, want string }{
		{"trust the authority", "notation cert add --type tsa --store openssl $TSA_ROOT", ""},
		{"sign with a time stamp", "notation sign --timestamp-url $TSA $IMAGE", signed},
		{"demand a time stamp", "notation policy init --force --trust-store ca:wabbit-networks.io --trust-store tsa:openssl --trusted-identity '*'", ""},
		{"verify with the time stamp", "notation verify $IMAGE", verified},
	} {
		if err := s.run(ctx, step.name, step.line, 0, wanted(step.want)...); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func wanted(line string) []string {
	if line == "" {
		return nil
	}
	return []string{line}
}
