package logging

import (
	"encoding"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
)

// plain is [slog.HandlerOptions.ReplaceAttr] for JSON: values that would be written as nanoseconds, numbers of an enumeration or
// "{}" are replaced by their text.
func plain(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case slog.KindAny:
		a.Value = slog.AnyValue(plainValue(a.Value.Any()))
	}
	return a
}

func plainValue(v any) any {
	switch v := v.(type) {
	case nil, json.Marshaler, encoding.TextMarshaler:
		return v
	case error:
		return v.Error()
	case fmt.Stringer:
		return v.String()
	case []byte:
		return string(v)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Slice, reflect.Array:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = plainValue(r.Index(i).Interface())
		}
		return list
	case reflect.Struct:
		return fmt.Sprintf("%+v", v)
	}
	return v
}
