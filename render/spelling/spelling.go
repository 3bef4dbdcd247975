// Package spelling measures how far a word is from one that may be meant.
package spelling

// longest is the length in octets above which words are not compared.
const longest = 128

// Distance returns the number of octets to insert, delete or change to turn a into b, or most+1 if that exceeds most or a word has more than
// 128 octets. It does not allocate.
func Distance(a, b string, most int) int {
	if len(a) > longest || len(b) > longest || most < 0 {
		return most + 1
	}
	var row [longest + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
			least = min(least, cost)
		}
		if least > most {
			return most + 1
		}
	}
	return min(row[len(b)], most+1)
}
