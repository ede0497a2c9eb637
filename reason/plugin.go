package reason

// Codes of package plugin.
const (
	// Finding and running a plugin.

	PluginName        Code = "plugin.name"
	PluginNotFound    Code = "plugin.not-found"
	PluginDirectory   Code = "plugin.directory"
	PluginUnsafe      Code = "plugin.unsafe"
	PluginStart       Code = "plugin.start"
	PluginTimeout     Code = "plugin.timeout"
	PluginInterrupted Code = "plugin.interrupted"
	PluginOutput      Code = "plugin.output"
	PluginFailed      Code = "plugin.failed"
	PluginRefused     Code = "plugin.refused"

	// What it says.

	PluginRequest      Code = "plugin.request"
	PluginAnswer       Code = "plugin.answer"
	PluginMetadata     Code = "plugin.metadata"
	PluginContract     Code = "plugin.contract"
	PluginVersion      Code = "plugin.version"
	PluginCapability   Code = "plugin.capability"
	PluginKey          Code = "plugin.key"
	PluginChain        Code = "plugin.chain"
	PluginSignature    Code = "plugin.signature"
	PluginEnvelope     Code = "plugin.envelope"
	PluginVerification Code = "plugin.verification"

	// Installing one.

	PluginSource    Code = "plugin.source"
	PluginDownload  Code = "plugin.download"
	PluginChecksum  Code = "plugin.checksum"
	PluginArchive   Code = "plugin.archive"
	PluginInstalled Code = "plugin.installed"
	PluginWrite     Code = "plugin.write"
	PluginLock      Code = "plugin.lock"
)

func pluginEntries() []Entry {
	return append(pluginRunEntries(), pluginInstallEntries()...)
}

func pluginRunEntries() []Entry {
	return []Entry{
		{PluginName, "A text cannot be the name of a plugin.", "Use letters, digits and the characters . _ - only."},
		{PluginNotFound, "No plugin of that name is installed.", "Install it with 'notation plugin install'."},
		{PluginDirectory, "The directory of the plugins cannot be read.", "Check that it is a directory, and who may read it."},
		{PluginUnsafe, "The plugin's program is no plain executable file that only you or root can change, so it is not run.", "Correct owner and permissions as the hint says, or install the plugin again."},
		{PluginStart, "The plugin's program cannot be started.", "Install the plugin for this operating system and processor."},
		{PluginTimeout, "The plugin did not answer in time and was ended.", "Try again; the key service behind the plugin may be slow, or wait for somebody."},
		{PluginInterrupted, "The operation was interrupted before the plugin answered.", "Run it again."},
		{PluginOutput, "The plugin wrote too much, or left a process that kept its output open, and was ended.", "Report the fault to the maker of the plugin."},
		{PluginFailed, "The plugin failed and did not say why in the way of the protocol.", "See what it said; report the fault to the maker of the plugin."},
		{PluginRefused, "The plugin reports an error of its own.", "See the plugin's own code and message, and its documentation."},

		{PluginRequest, "A plugin was to be asked something that it cannot be asked.", "Leave out what the message names."},
		{PluginAnswer, "The plugin's answer is not what the protocol demands.", "Report the fault to the maker of the plugin."},
		{PluginMetadata, "What the plugin says about itself is incomplete or wrong.", "Install the plugin again, under its own name."},
		{PluginContract, "The plugin does not speak the version of the protocol that this program does.", "Install a version of the plugin that does."},
		{PluginVersion, "The plugin is older than the signature demands.", "Install a later version of the plugin."},
		{PluginCapability, "The plugin cannot do what it is needed for.", "Use a plugin that has the capability."},
		{PluginKey, "The plugin answered for another key, or its key must not be used.", "Check the key id, and use a key of a kind that signatures may use."},
		{PluginChain, "The certificate chain that the plugin returned breaks a rule.", "Correct the certificates where the plugin gets them from."},
		{PluginSignature, "The plugin returned something that is no signature over what it was asked to sign.", "Do not use this plugin; report the fault to its maker."},
		{PluginEnvelope, "The envelope that the plugin made does not verify, or says something else than was asked.", "Do not use this plugin; report the fault to its maker."},
		{PluginVerification, "The plugin's judgement does not answer what was asked.", "Do not use this plugin; report the fault to its maker."},
	}
}

func pluginInstallEntries() []Entry {
	return []Entry{
		{PluginSource, "The file or URL to install from cannot be used.", "Give a file notation-NAME, an archive with one, or an https URL with its checksum."},
		{PluginDownload, "The plugin could not be downloaded.", "Check the URL and the network, or download the file yourself."},
		{PluginChecksum, "The file is not the one that the checksum was made for.", "Get the checksum from the maker of the plugin; do not install the file."},
		{PluginArchive, "The archive is broken, too large, or holds what a plugin's archive must not hold.", "Get the archive from the maker of the plugin."},
		{PluginInstalled, "The same or a later version of the plugin is installed, or one whose version cannot be told.", "Keep it, or replace it with --force."},
		{PluginWrite, "The plugin could not be written or removed; what was installed is still there.", "Check permissions and free space."},
		{PluginLock, "Another program is installing or removing a plugin.", "Wait until the other program has ended."},
	}
}
