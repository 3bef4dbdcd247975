package describe

import (
	"strings"

	"dcs/render"
	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/lint/reason"
	"dcs/render/mic"
	"dcs/render/tlv"
)

// Known is what is known of an explained request beside the explanation.
type Known struct {
	Library       *library.Snapshot // that the request was answered from
	MIB           *mib.Index
	NoFile        string // why it gets no file
	Secret        *mic.Secret
	NoSecret      bool // the secret is the empty one, as none is configured
	UnknownDevice bool // there are sources of devices, and none has the device
}

// Diagnose ranks why the modem of an explained request does not come online although its CMTS, or the modem, says w.
func Diagnose(w reason.Word, x *render.Explanation, k *Known) *reason.Diagnosis {
	f := reason.File{Facts: map[reason.Fact]string{}}
	if x.Err != nil {
		f.Facts[reason.NoFile] = k.NoFile
	}
	if k.UnknownDevice {
		f.Facts[reason.UnknownDevice] = "no source has the device"
	}
	if x.Mismatch != 0 {
		f.Facts[reason.WrongAddress] = x.Mismatch.Error()
	}
	if x.Err == nil && !IsText(x) {
		f.Tree, _ = tlv.Decode(x.Body) // what precedes the damage is judged
		if k.NoSecret && f.Tree.Dialect == tlv.CM {
			f.Facts[reason.NoSecret] = "no secret is configured"
		}
		verdicts(&f, x.Body, k.Secret)
		judge(&f, x, k)
	}
	return reason.Diagnose(w, &f)
}

// verdicts adds the integrity values that are wrong.
func verdicts(f *reason.File, body []byte, secret *mic.Secret) {
	r, err := mic.Verify(body, secret)
	if err != nil {
		f.Facts[reason.BadModemMIC] = err.Error()
		return
	}
	for _, v := range []struct {
		mic.Result
		fact reason.Fact
		text string
	}{
		{r.CM, reason.BadModemMIC, "the CM MIC is wrong"},
		{r.MTA, reason.BadModemMIC, "the hash of the file is wrong"},
		{r.CMTS, reason.BadCMTSMIC, "the CMTS MIC is wrong under the secret for this address"},
	} {
		if v.Verdict == mic.Invalid {
			f.Facts[v.fact] = v.text
		}
	}
}

// judge adds what lint finds in the file, and the statements that wrote it.
func judge(f *reason.File, x *render.Explanation, k *Known) {
	made := x.Static == "" || x.Resigned
	file, traced := &lint.File{Name: x.Name, Dialect: f.Tree.Dialect, Octets: x.Body, Made: made}, false
	if x.Static == "" && len(x.Matches) > 0 {
		if l, ok := k.Library.Survey(nil).Trace(x.Matches[0].Template, x.Body); ok {
			file, traced = l, true
		}
	}
	if traced {
		f.Place = func(offset int) string { return file.Place(offset).Pos.String() }
	}
	unsure := func(rule string) bool { // whether the request decides it is not known
		return x.Static == "" && !traced && (rule == "time-literal" || rule == "address-literal")
	}
	o := &lint.Options{MIB: k.MIB}
	for _, g := range lint.Check(file, o) {
		if unsure(g.Rule.ID) {
			continue
		}
		where := []string{g.Spot.String()}
		for _, at := range g.Place.Via {
			where = append(where, "included from "+at.String())
		}
		f.Findings = append(f.Findings, reason.Finding{
			Rule: g.Rule.ID, Error: g.Severity == lint.Error, Note: g.Severity == lint.Note, Where: strings.Join(where, ", "), Text: g.Text,
		})
	}
	f.Judged = func(rule string) bool {
		r := lint.ByID(rule)
		return r != nil && r.Applies(file, o) && !unsure(rule)
	}
}
