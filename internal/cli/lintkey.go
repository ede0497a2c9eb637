package cli

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// pluginTime bounds what one plugin may take to answer a check.
const pluginTime = 20 * time.Second

func decimal(n int) string { return strconv.Itoa(n) }

func (a *app) keyLintCommand() *cobra.Command {
	passphrase := &passphraseOptions{}
	cmd := a.leaf(&cobra.Command{
		Use:   "lint [NAME]",
		Short: "Find out whether a key can sign",
		Long: `Find out whether a key of the list, or the default key, can sign: whether its
files are there and safe, the key fits its certificate, the chain is complete,
in order and valid now, and nothing expires soon.

An encrypted key is opened if its pass phrase is given. Of a key that a plugin
holds, the plugin is asked what it can do and what kind of key it is; nothing is
signed. Secrets are never shown.`,
		Example: `  # Can the default key sign
  notation key lint

  # Can the key release sign
  notation key lint release`,
	}, 0, 1, func(ctx context.Context, args []string) (document, error) {
		dirs, err := a.dirs()
		if err != nil {
			return nil, err
		}
		keys, err := dirs.SigningKeys()
		if err != nil {
			return nil, err
		}
		find := keys.Default
		if len(args) > 0 {
			find = func() (config.Key, error) { return keys.Find(args[0]) }
		}
		key, err := find()
		if err != nil {
			return nil, err
		}
		ctx, cancel := a.network(ctx)
		defer cancel()
		list := &checklist{}
		a.lintKey(ctx, list, dirs, key, passphrase)
		doc := &keyLintDocument{Key: newKey(key, keys.DefaultName()), Checks: list.all}
		n := list.count(outcomeProblem)
		switch list.exit {
		case exitUndecided:
			return doc, reason.Errorf(reason.DoctorUndecided, "whether key %q can sign was not found out", key.Name).WithHint("run it again")
		case exitUsage:
			return doc, reason.Errorf(reason.UsageKeyUnusable, "key %q cannot sign, for %s", key.Name, count(n, "problem")).
				WithHint("correct what is shown as problem")
		}
		return doc, nil
	})
	passphrase.register(cmd)
	cmd.ValidArgsFunction = a.completeKeys
	return cmd
}

// keyLintDocument is the result of key lint.
type keyLintDocument struct {
	Key    keyJSON     `json:"key"`
	Checks []checkJSON `json:"checks"`
}

func (d *keyLintDocument) text(p *page) {
	p.line("Key %q:", d.Key.Name)
	p.table("  ", checkRows(d.Checks))
}

// lintKey checks one key. Every check is made, whatever the others find.
func (a *app) lintKey(ctx context.Context, list *checklist, dirs config.Dirs, key config.Key, passphrase *passphraseOptions) {
	if !key.IsLocal() {
		a.lintPluginKey(ctx, list, dirs, key)
		return
	}
	list.area = "key"
	private, err := atomicfile.ReadLinked(key.KeyPath, config.MaxKeyFileBytes)
	defer func() { clear(private) }()
	if err != nil {
		list.problem(key.Name, err)
	} else {
		a.lintModes(list, key)
	}
	list.area = "certificate"
	certs, err := atomicfile.ReadLinked(key.CertPath, config.MaxCertificateFileBytes)
	if err != nil {
		list.problem(key.Name, err)
		return
	}
	if w := writableFile(key.CertPath); w != nil {
		list.say(outcomeWarning, key.Name, w)
	}
	chain := a.lintChain(list, key, certs)
	if private == nil {
		return
	}
	list.area = "key"
	opened, err := a.clearKey(ctx, passphrase, private, key.KeyPath)
	if reason.Of(err) == reason.SignerKeyEncrypted {
		list.say(outcomeNote, key.Name, err) // nobody is there to open it, which is how it should be
		return
	}
	var s signer.Signer
	if err == nil {
		defer clear(opened)
		s, err = signer.FromPEM(opened, certs)
	}
	switch {
	case reason.Of(err) == reason.SignerPassphrase || reason.Of(err) == reason.SignerKeyEncryption:
		list.problem(key.Name, err) // which names the file
	case err != nil && chainFault(err) && list.count(outcomeProblem) > 0: // told with all that is wrong
	case err != nil && chainFault(err):
		list.problem(key.Name, config.InFile(key.CertPath, err))
	case err != nil:
		list.problem(key.Name, config.InFile(key.KeyPath, err))
	default:
		algorithm, err := s.Algorithm(ctx)
		if err != nil {
			list.problem(key.Name, err)
			return
		}
		list.ok(key.Name, "fits its certificate and signs with %s", algorithm)
		list.area = "certificate"
		if len(chain) > 0 && certchain.ValidAt(chain, a.env.Now()) == nil {
			list.ok(key.Name, "complete chain of %s of %s, valid now and until %s", count(len(chain), "certificate"), printedName(chain[0].RawSubject), printedTime(earliestEnd(chain)))
		}
	}
}

// chainFault reports whether the error of a signer is about its certificates.
func chainFault(err error) bool {
	code := reason.Of(err)
	return isArea(code, "cert") || slices.Contains([]reason.Code{reason.SignerCertificates, reason.SignerChain, reason.SignerCertificateTime}, code)
}

func earliestEnd(chain []*x509.Certificate) time.Time {
	return slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
}

// lintModes looks at who may read and change a private key.
func (a *app) lintModes(list *checklist, key config.Key) {
	if w := config.ReadableByOthers(key.KeyPath); w != "" {
		list.add(outcomeWarning, key.Name, reason.DoctorMode, "take the permission away: chmod 0600 "+key.KeyPath, w)
		return
	}
	if w := writableFile(key.KeyPath); w != nil {
		list.say(outcomeWarning, key.Name, w)
		return
	}
	list.ok(key.Name, "private key %s, which nobody else can read", key.KeyPath)
}

// writableFile returns a fault if users other than the owner may change a file
// or directory.
func writableFile(path string) error {
	const groupOrOthers = 0o022
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&groupOrOthers == 0 {
		return nil
	}
	return reason.Errorf(reason.DoctorMode, "%q may be changed by other users (mode %04o)", path, info.Mode().Perm()).
		WithHint("take the permission away: chmod go-w %s", path)
}

// lintChain looks at the certificates of a key and returns them, nil if they
// cannot be read. What is wrong is told rule by rule.
func (a *app) lintChain(list *checklist, key config.Key, data []byte) []*x509.Certificate {
	chain, err := trust.ParseCertificates(data)
	if reason.Of(err) == reason.StorePrivateKey { // key and chain may stand in one file
		chain, err = trust.ParseCertificates(certificateBlocks(data))
	}
	if err != nil {
		list.problem(key.Name, config.InFile(key.CertPath, err))
		return nil
	}
	for _, v := range certchain.Lint(chain, certchain.CodeSigning) {
		list.problem(key.Name, reason.Errorf(v.Rule.Code, "%s (rule %s)", v.Error(), v.Rule.ID).WithHint("%s", v.Rule.Remedy))
	}
	now := a.env.Now()
	for i, c := range chain[:min(len(chain), certchain.MaxCertificates)] {
		role := certchain.Leaf
		if i > 0 {
			role = certchain.Issuer
		}
		if err := certchain.ValidAt([]*x509.Certificate{c}, now); err != nil {
			list.problem(key.Name, err)
		}
		for _, r := range remarks(c, role, now) {
			list.add(outcomeWarning, key.Name, r.Code, r.Hint, fmt.Sprintf("certificate %d of %d (%s) %s", i+1, len(chain), printedName(c.RawSubject), r.Message))
		}
	}
	return chain
}

// certificateBlocks returns the certificates of a PEM file that holds a key,
// too.
func certificateBlocks(data []byte) []byte {
	var out []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			out = append(out, pem.EncodeToMemory(block)...)
		}
	}
	return out
}

// lintPluginKey asks a plugin about a key that it holds.
func (a *app) lintPluginKey(ctx context.Context, list *checklist, dirs config.Dirs, key config.Key) {
	list.area = "plugin"
	ctx, cancel := context.WithTimeout(ctx, pluginTime)
	defer cancel()
	if key.ID == "" || key.PluginName == "" {
		list.problem(key.Name, reason.Errorf(reason.ConfigSigningKeys, "the entry has neither the paths of key and certificate nor the name of a plugin with an id").
			WithHint("delete it with 'notation key delete' and add it again"))
		return
	}
	if fault := openPINFile(key.PluginName, key.ID); fault != nil {
		list.say(outcomeWarning, key.Name, fault)
	}
	p, err := pluginHost(dirs).Get(ctx, key.PluginName)
	if err != nil {
		list.problem(key.Name, fmt.Errorf("plugin %q: %w", key.PluginName, err))
		return
	}
	m := p.Metadata()
	raw, blob, whole := p.Can(plugin.CapabilityRaw), p.Can(plugin.CapabilityBlobEnvelope), p.Can(plugin.CapabilityEnvelope)
	if !raw && !whole {
		list.problem(key.Name, reason.Errorf(reason.PluginCapability, "plugin %s %s cannot sign artifacts: it has the capabilities %v", m.Name, m.Version, m.Capabilities).
			WithHint("name a plugin that can with 'notation key add --plugin'"))
		return
	}
	list.ok(key.Name, "plugin %s %s can sign", m.Name, m.Version)
	list.area = "key"
	if !raw && !blob {
		list.add(outcomeNote, key.Name, reason.DoctorAlgorithmUnknown, "nothing need be done; signing shows whether the key is there",
			"the plugin makes whole envelopes and cannot be asked about a key")
		return
	}
	algorithm, err := p.DescribeKey(ctx, key.ID, key.PluginConfig)
	if err != nil {
		list.problem(key.Name, fmt.Errorf("key %q of plugin %s: %w", key.ID, m.Name, err))
		return
	}
	list.ok(key.Name, "the plugin knows the key %q, which signs with %s", key.ID, algorithm)
}

// isArea reports whether a code is of an area.
func isArea(code reason.Code, area string) bool {
	return len(code) > len(area) && string(code[:len(area)+1]) == area+"."
}
