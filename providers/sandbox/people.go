package sandbox

// person is what a generated contact is called and where it is reached. All
// CRMs of the sandbox draw from the same people, so that one person can be met
// in several of them.
type person struct {
	first, last, slug string
	phone             string // E.164
	phoneAsTyped      string
	company           string
	job               string
	city              string
}

type country struct {
	code    string // of the phone, with +
	pattern string // of the national number: # is a digit
	typed   string // how people there write it, same digits
	city    string
	names   [][2]string // first and last, as written
	slugs   []string    // the same for an address, in ASCII
}

var jobs = []string{"Buyer", "Owner", "Head of Operations", "CTO", "Sales Assistant", "Geschäftsführerin", "Diretor", "Accountant", "Installer", ""}

var firms = []string{"Nordwind", "Blue Harbour", "Atelier Soleil", "Kaffeekontor", "Granja Verde", "Sakura Works", "Delta Freight", "Ovalle Hermanos", "Chai & Co", "Polar Tools"}

var countries = []country{
	{"+49", "30########", "030 #### ####", "Berlin", [][2]string{{"Zoë", "Müller"}, {"Jürgen", "Groß"}, {"Anneliese", "von der Heide"}}, []string{"zoe.mueller", "juergen.gross", "a.vonderheide"}},
	{"+44", "7#########", "07### ######", "Leeds", [][2]string{{"Siobhán", "O’Brien"}, {"Oliver", "Smith"}, {"Priya", "Shah-Jones"}}, []string{"siobhan.obrien", "oliver.smith", "priya.shahjones"}},
	{"+1", "2122######", "(212) 2##-####", "New York", [][2]string{{"Emily", "Johnson"}, {"DeShawn", "Carter"}, {"Robert", "\\\"Bob\\\" Miller Jr."}}, []string{"emily.johnson", "deshawn.carter", "bob.miller"}},
	{"+55", "119########", "(11) 9####-####", "São Paulo", [][2]string{{"João", "da Conceição"}, {"Luíza", "Araújo"}, {"Caio", "Brandão 🚀"}}, []string{"joao.conceicao", "luiza.araujo", "caio.brandao"}},
	{"+52", "55########", "55 #### ####", "Ciudad de México", [][2]string{{"María José", "Muñoz"}, {"Ángel", "Hernández"}, {"Ximena", "Peña"}}, []string{"mariajose.munoz", "angel.hernandez", "ximena.pena"}},
	{"+54", "9112#######", "011 15-2###-####", "Buenos Aires", [][2]string{{"Lucía", "Fernández"}, {"Martín", "Núñez"}, {"Agustín", "Güemes"}}, []string{"lucia.fernandez", "martin.nunez", "agustin.guemes"}},
	{"+91", "98########", "98### #####", "Mumbai", [][2]string{{"अनन्या", "शर्मा"}, {"Ravi", "Subramaniam"}, {"Kavitha", "R"}}, []string{"ananya.sharma", "ravi.subramaniam", "kavitha.r"}},
	{"+81", "90########", "090-####-####", "大阪", [][2]string{{"さくら", "田中"}, {"健太", "山本"}, {"Yuki", "Ōno"}}, []string{"sakura.tanaka", "kenta.yamamoto", "yuki.ono"}},
	{"+86", "138########", "138 #### ####", "上海", [][2]string{{"小龍", "李 🐉"}, {"伟", "王"}, {"Mei", "Zhang"}}, []string{"xiaolong.li", "wei.wang", "mei.zhang"}},
	{"+33", "6########", "06 ## ## ## ##", "Nîmes", [][2]string{{"Chloé", "Lefèvre"}, {"Jean-François", "D’Arc"}, {"Inès", "Brûlé"}}, []string{"chloe.lefevre", "jf.darc", "ines.brule"}},
	{"+20", "10########", "010 #### ####", "القاهرة", [][2]string{{"فاطمة", "الزهراء"}, {"محمد", "عبد الرحمن"}, {"Nour", "Hassan"}}, []string{"fatima.zahra", "m.abdelrahman", "nour.hassan"}},
	{"+972", "52#######", "052-###-####", "חיפה", [][2]string{{"נועה", "כהן"}, {"דוד", "לוי"}, {"Tamar", "Ben-Ami"}}, []string{"noa.cohen", "david.levi", "tamar.benami"}},
}

// personOf makes the person of a record: the country stays over its versions,
// the rest may change.
func personOf(seed uint64, id int64, version int) person {
	home := mix(seed ^ uint64(id)) //nolint:gosec // ids are positive
	draw := home
	if version > 0 {
		draw = mix(home ^ uint64(version)<<32)
	}
	c := &countries[home%uint64(len(countries))]
	name := int(draw >> 8 % uint64(len(c.names))) //nolint:gosec // an index of a short list
	p := person{
		first: c.names[name][0], last: c.names[name][1], slug: c.slugs[name],
		company: firms[draw>>16%uint64(len(firms))], job: jobs[draw>>24%uint64(len(jobs))], city: c.city,
	}
	p.phone, p.phoneAsTyped = dial(c, draw)
	return p
}

// dial fills the country's patterns with the digits of draw.
func dial(c *country, draw uint64) (e164, typed string) {
	var international, national [32]byte
	i := copy(international[:], c.code)
	digits := draw
	var drawn [16]byte
	n := 0
	for _, mark := range []byte(c.pattern) {
		if mark == '#' {
			mark = byte('0' + digits%10)
			digits /= 10
			drawn[n] = mark
			n++
		}
		international[i] = mark
		i++
	}
	k, n := 0, 0
	for _, mark := range []byte(c.typed) {
		if mark == '#' {
			mark = drawn[n]
			n++
		}
		national[k] = mark
		k++
	}
	return string(international[:i]), string(national[:k])
}
