package main

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Top-level TLVs of a modem's file that depend on the requester.
const (
	tlvCMMIC     = 6
	tlvTimestamp = 19
	tlvModemAddr = 20
	tlvEnd       = 255

	sampleEvery = 64
	since1900   = 2208988800 // seconds from 1900 to 1970, RFC 868
	oldest      = 30         // seconds
)

// verifier checks a rendered file independently of our own code: the modem's address in every file; the CM MIC and the
// time in every 64th, as hashing each would slow the load down. now returns Unix seconds.
func verifier(now func() int64) func(name []byte, modem netip.Addr, body []byte) error {
	n := 0
	return func(_ []byte, modem netip.Addr, body []byte) error {
		addr, stamp, mic, err := fields(body)
		if err != nil {
			return err
		}
		want := modem.As4()
		if body[addr+1] != 4 || !bytes.Equal(body[addr+2:addr+6], want[:]) {
			return fmt.Errorf("TLV 20 is % x, requested from %s", body[addr+2:addr+6], modem)
		}
		if n++; n%sampleEvery != 1 {
			return nil
		}
		if hash := md5.Sum(body[:mic]); body[mic+1] != 16 || !bytes.Equal(body[mic+2:mic+18], hash[:]) {
			return errors.New("wrong CM MIC")
		}
		if body[stamp+1] != 4 {
			return errors.New("TLV 19 is not four bytes long")
		}
		// A CMTS accepts a file during its processing time, at least 30 s; the file may have waited in a queue.
		if d := int64(binary.BigEndian.Uint32(body[stamp+2:])) - (now() + since1900); d < -oldest || d > 1 {
			return fmt.Errorf("TLV 19 is %s off", time.Duration(d)*time.Second)
		}
		return nil
	}
}

// fields returns the offsets of TLVs 20, 19 and 6, each complete in the file.
func fields(body []byte) (addr, stamp, mic int, err error) {
	addr, stamp, mic = -1, -1, -1
	for at := 0; at < len(body) && body[at] != tlvEnd; {
		if at+2 > len(body) || at+2+int(body[at+1]) > len(body) {
			return 0, 0, 0, fmt.Errorf("TLV %d at byte %d ends behind the file", body[at], at)
		}
		length := int(body[at+1])
		switch {
		case body[at] == tlvModemAddr && length >= 4:
			addr = at
		case body[at] == tlvTimestamp && length >= 4:
			stamp = at
		case body[at] == tlvCMMIC && length >= 16:
			mic = at
		}
		at += 2 + length
	}
	if addr < 0 || stamp < 0 || mic < 0 {
		return 0, 0, 0, errors.New("TLV 6, 19 or 20 is missing")
	}
	return addr, stamp, mic, nil
}
