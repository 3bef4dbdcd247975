package config

// libraryKeys are the keys about what is served.
func (c *Config) libraryKeys() []Key {
	return []Key{
		{
			"library", `[]`,
			`Directories of templates and boot file sources: .dcs in the template language;
.cfg, .txt and .conf in the language of the open docsis encoder.`,
			paths(&c.Library),
		},
		{
			"static", `[]`,
			`Directories of files that are served as they are. A template with exactly the
requested name comes before a file, a file before templates whose pattern
matches. Of two files with the same name, the one in the first directory is
served. Symbolic links that lead outside of all these directories are refused.
Replace files by renaming. In a directory given as
{dir: /srv/tftp, resign: on} boot files get new MICs, with the secret of the
requesting modem's CMTS; flags name directories without resign.`,
			staticDirs(&c.Static, &c.Resign),
		},
	}
}

// nameKeys are the keys about how requested names are read.
func (c *Config) nameKeys() []Key {
	return []Key{
		{
			"backslash", `on`,
			`Treat a backslash in a requested name as a slash, for clients that ask for
\boot\file. Leading slashes, // and /./ are ignored in any case, and a name
with /../ leads to no file. off: a backslash is an ordinary character.`,
			boolean(&c.Names.Backslash),
		},
		{
			"ignore_case", `off`,
			`Treat A to Z as a to z in requested names, in names of templates and static
files, in patterns and in rewrite. Captures are then in lower case. Two
templates, or two files in one directory, whose names become equal are an
error.`,
			boolean(&c.Names.IgnoreCase),
		},
		{
			"root", `[]`,
			`Directories whose files may also be requested by absolute names, as clients of
other servers do: with /tftpboot here, /tftpboot/x requests x. Directories of
static are included.`,
			many(&c.Names.Roots, "paths", "a list of absolute paths", parseRoot),
		},
		{
			"rewrite", `[]`,
			`Rules that rewrite requested names, applied in order. They see cleaned names
without @MAC (/a/x for //a/./x), with one slash in front if there was any, so
x and /x differ; over HTTP, the part after /boot/. A name with ".." gets no
file, whatever the rules say. Only for the file: there is no flag.
match is a regular expression (RE2); to replaces what it matches: $1 is the
first group; \U, \L and \E change letter case. repeat: on applies the rule
until it no longer matches; a rule that always matches again is an error, and
a name that a rule never stops matching gets no file. last: on skips the rules
that follow; refuse: on gives no file; unless, instead of match, selects names
that do not match. A name longer than 512 octets gets no file.
"dcs check --remap FILE" converts a map file of tftpd-hpa. This key and root
are read again at SIGHUP. Example:
  - {match: '^[A-Za-z]:', to: ''}
  - {match: '^/old/(.*)\.cfg$', to: '$1.cm', last: on}`,
			rules(&c.Names.Rewrite),
		},
	}
}

// compilingKeys are the keys about how templates are compiled.
func (c *Config) compilingKeys() []Key {
	return []Key{
		{
			"lenient", `off`,
			`Accept in all templates what the open encoder accepts, with a warning each:
keywords in blocks that they do not belong to, by their TLV codes; blocks for
keywords that take values; SNMP types that are not the object's; names of
service classes of 16 characters. A file whose first line is a comment that
begins with dcs:lenient is read so without this key.`,
			boolean(&c.Lenient),
		},
		{
			"learned_memory", `0`,
			`Memory for the kinds of names that were requested, such as 256M.
0: 64M, or an eighth of the control group's limit if that is less. "dcs check"
lists what else uses memory.`,
			size(&c.LearnedMemory, 0, 1<<36),
		},
		{
			"mib_path", `[]`,
			`Directories of your own MIB modules, for SNMP names in templates, in addition
to the built-in ones. Faulty objects of a module are left out, and so are
templates that name them; "dcs check" says what is wrong.`,
			paths(&c.MIBPath),
		},
		{
			"mib_prefer", `[]`,
			`Modules whose names win if two modules define the same one, in order of
preference. Without it, modules that the open encoder has, and your own, win
over others; among them CableLabs', then the IETF's and your own, then those
of makers of modems and CMTSes; a name with two meanings left is an error.`,
			many(&c.MIBPrefer, "modules", "a list of module names", parseName),
		},
	}
}

// judgingKeys are the keys about what "dcs check" and the admin page find in files.
func (c *Config) judgingKeys() []Key {
	return []Key{
		{
			"lint_allow", `[]`,
			`Rules of "dcs check" that are not applied, such as [nm-open, bpi-off];
"dcs check --rules" lists them. For a single statement of a template, write a
comment dcs:allow RULE in its line instead.`,
			many(&c.LintAllow, "rules", "a list of rules", parseRule),
		},
		{
			"service_classes", `[]`,
			`The service classes that every CMTS has. If some are given, "dcs check"
refuses files that name another: registration would fail.`,
			many(&c.ServiceClasses, "names", "a list of names of service classes", parseClass),
		},
	}
}

// signingKeys are the keys about MICs and the TLVs that are added to modem files.
func (c *Config) signingKeys() []Key {
	return []Key{
		{
			"timestamp", `off`,
			`Add TLV 19, the time of the request, to every modem file that has none.`,
			boolean(&c.Timestamp),
		},
		{
			"modem_address", `off`,
			`Add TLV 20 (IPv4) or 59 (IPv6), the modem's address, to every modem file that
has none.`,
			boolean(&c.ModemAddress),
		},
		{
			"secret_file", `""`,
			`A file with the secret shared with the CMTS, for the CMTS MIC; a line end
after it is ignored. Mode 640 or less, owned by root or the server's user.
Empty: the empty secret.`,
			path(&c.SecretFile),
		},
		{
			"secrets", `""`,
			`A keyring instead of secret_file, mode 600: secrets by name, and which CMTS
has which (example: /usr/share/doc/dcs/secrets.yaml). The longest prefix that
contains the modem's address selects the CMTS. "dcs secret" replaces secrets.`,
			path(&c.Secrets),
		},
	}
}
