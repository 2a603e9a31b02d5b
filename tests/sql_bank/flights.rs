//! Calls of the procedures, as psql takes them, of transacoes that look random.

/// Numbers that look random, the same in every run (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// At most so many, of clientes that come once each, by ascending id.
    pub fn distintas(&mut self, len: u64, clientes: u64) -> Vec<(i64, i64)> {
        let mut flight: Vec<_> = (0..len).map(|_| self.transacao(clientes)).collect();
        flight.sort_by_key(|(id, _)| *id);
        flight.dedup_by_key(|(id, _)| *id);
        flight
    }

    /// The same, and behind them so many more of these clientes, in any order.
    pub fn quase_distintas(&mut self, len: u64, clientes: u64, again: u64) -> Vec<(i64, i64)> {
        let mut flight = self.distintas(len, clientes);
        let first = flight.len() as u64;
        for _ in 0..again {
            let at = usize::try_from(self.below(first)).expect("an index");
            flight.push((flight[at].0, self.transacao(clientes).1));
        }
        flight
    }

    /// One of the first clientes, whose sixth is absent, and a signed valor: small, near the
    /// limits, vast.
    pub fn transacao(&mut self, clientes: u64) -> (i64, i64) {
        let bound = match self.below(4) {
            0 => 100,
            1 => 50_000,
            2 => 600_000,
            _ => 1 << 63,
        };
        let valor = i64::try_from(1 + self.below(bound - 1)).expect("below 2^63");
        let sign = if self.below(3) == 0 { 1 } else { -1 };
        (1 + self.below(clientes) as i64, sign * valor)
    }
}

/// The flight's call, of transacoes_distintas where it takes the flight, else of transacoes_lote.
pub fn lote(transacoes: &[(i64, i64)]) -> String {
    let ascend = |one: &[(i64, i64)]| one[0].0 < one[1].0;
    let primeiras = 1 + transacoes.windows(2).take_while(|one| ascend(one)).count();
    let (first, again) = transacoes.split_at(primeiras.min(transacoes.len()));
    let among = |one: &(i64, i64)| first.iter().any(|it| it.0 == one.0);
    let (procedure, primeiras) = match again.iter().all(among) {
        true => ("transacoes_distintas", format!(", {}", first.len())),
        false => ("transacoes_lote", String::new()),
    };
    let list = |values: Vec<String>| format!("'{{{}}}'", values.join(","));
    let ids = list(transacoes.iter().map(|(id, _)| id.to_string()).collect());
    let valores = list(
        transacoes
            .iter()
            .map(|(_, valor)| valor.to_string())
            .collect(),
    );
    let descricoes = list((0..transacoes.len()).map(|at| format!("d{at}")).collect());
    format!("SELECT * FROM {procedure}({ids}, {valores}, {descricoes}{primeiras});\n")
}

pub fn single(id: i64, valor: i64, descricao: &str) -> String {
    let (tipo, cents) = if valor < 0 {
        ('d', -valor)
    } else {
        ('c', valor)
    };
    let args = format!("{id}, {cents}, '{tipo}', '{descricao}'");
    format!("SELECT resultado, saldo, limite FROM InsertTransacao({args});\n")
}
