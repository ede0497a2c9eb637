package reason

// Codes of the configuration directory and the files in it.
const (
	ConfigHome         Code = "config.home"
	ConfigRead         Code = "config.read"
	ConfigNotRegular   Code = "config.not-regular"
	ConfigTooLarge     Code = "config.too-large"
	ConfigWrite        Code = "config.write"
	ConfigLock         Code = "config.lock"
	ConfigExists       Code = "config.exists"
	ConfigName         Code = "config.name"
	ConfigNameTaken    Code = "config.name-taken"
	ConfigSettings     Code = "config.settings"
	ConfigSigningKeys  Code = "config.signing-keys"
	ConfigKeyUnknown   Code = "config.key-unknown"
	ConfigNoDefaultKey Code = "config.no-default-key"
	ConfigNoPolicy     Code = "config.no-policy"
	ConfigPolicyExists Code = "config.policy-exists"
)

// Codes of the command line.
const (
	UsageCommand        Code = "usage.command"
	UsageFlag           Code = "usage.flag"
	UsageArguments      Code = "usage.arguments"
	UsageDigestRequired Code = "usage.digest-required"
	UsageStdin          Code = "usage.stdin"
	UsageConfirm        Code = "usage.confirm"
	UsagePolicyBroken   Code = "usage.policy-broken"
	UsageInterrupted    Code = "usage.interrupted"
	UsageInternal       Code = "usage.internal"
	UsageCertExpiring   Code = "usage.certificate-expiring"
)

func configEntries() []Entry {
	return []Entry{
		{ConfigHome, "The configuration directory is not known.", "Set $HOME, or $NOTATION_CONFIG to the directory."},
		{ConfigRead, "A file cannot be read.", "Check the path and who may read it."},
		{ConfigNotRegular, "Something stands where a regular file or a directory is needed.", "Replace the symbolic link, FIFO or device by a regular file."},
		{ConfigTooLarge, "A file is larger than this program is ready to read.", "Check that the path names what was meant."},
		{ConfigWrite, "A file could not be written; its old content is still there.", "Check permissions and free space."},
		{ConfigLock, "A file is being edited by another program.", "Wait until the other program has ended."},
		{ConfigExists, "A file of that name is there already.", "Choose another name, or remove the file."},
		{ConfigName, "The name of a key cannot be part of a file name everywhere.", "Use letters, digits and the characters _ . - only."},
		{ConfigNameTaken, "The name is in use, perhaps in another case.", "Choose another name, or delete what has it."},
		{ConfigSettings, "The file config.json is malformed.", "Correct it at the line that the message names."},
		{ConfigSigningKeys, "The file signingkeys.json is malformed.", "Correct it, or move it away and add the keys again."},
		{ConfigKeyUnknown, "No key has the given name.", "See the names with 'notation key list'."},
		{ConfigNoDefaultKey, "No key was named and none is the default.", "Name one with --key, or make a test key with 'notation cert generate-test --default NAME'."},
		{ConfigNoPolicy, "There is no trust policy, so nothing is trusted.", "Trust a certificate with 'notation cert add --name NAME FILE', or write a policy with 'notation policy init'."},
		{ConfigPolicyExists, "There is a trust policy already.", "Look at it with 'notation policy show'; --force replaces it."},

		{UsageCommand, "There is no such command, or a sub-command is missing.", "See 'notation --help'."},
		{UsageFlag, "A flag is not known, lacks its value, has a wrong one, or contradicts another.", "See the command's --help."},
		{UsageArguments, "There are too few or too many arguments, or one of them is wrong.", "See the command's --help."},
		{UsageDigestRequired, "A reference names no digest, and --require-digest asks for one.", "Name the artifact as registry/repository@digest."},
		{UsageStdin, "Standard input is not what the command needs.", "Check what is piped into the command."},
		{UsageConfirm, "What the command would do was not confirmed.", "Answer y, or give --yes."},
		{UsagePolicyBroken, "The trust policy has faults for which good signatures are rejected.", "Correct what 'notation policy lint' shows as error."},
		{UsageInterrupted, "The command was interrupted before it was done.", "Run it again."},
		{UsageCertExpiring, "A certificate has expired, or will within the time asked about.", "Have it renewed; 'notation cert expiring' shows which."},
		{UsageInternal, "Something failed that never should.", "Report it, with the output of --debug."},
	}
}
