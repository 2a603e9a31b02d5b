//! In which order a flight's transacoes are sent, and by which procedure.
//!
//! By ascending cliente, those of one cliente in the order in which they joined. Where nearly all
//! are of different clientes, as among many active ones, the few that come again are sent behind
//! the first of each: `transacoes_distintas` then searches for each row once
//! (docs/decisions/0001-batch-procedure.md).

/// For each transacao that comes again there are so many clientes at least, or `transacoes_lote` is
/// called: that costs a sixth more for each cliente, and `transacoes_distintas` a statement for
/// each transacao that comes again. With 64 clientes they meet at about eight for each such one,
/// with fewer at sixteen.
const CLIENTES_FOR_EACH_AGAIN: usize = 16;

/// A flight's transacoes as they are sent; its buffers are reused.
#[derive(Default)]
pub(super) struct Order {
    /// Each transacao's cliente and its place on board.
    sent: Vec<(i64, usize)>,
    /// Those that come again, while they are sorted out.
    again: Vec<(i64, usize)>,
}

impl Order {
    /// Orders the transacoes of these clientes, in the order in which they joined. Returns how many
    /// are the first of their cliente, if the flight is one for `transacoes_distintas`.
    pub(super) fn arrange(&mut self, clientes: impl Iterator<Item = i64>) -> Option<usize> {
        let Self { sent, again } = self;
        sent.clear();
        sent.extend(clientes.zip(0..));
        sent.sort_unstable();
        let pairs = sent.iter().zip(sent.iter().skip(1));
        let come_again = pairs.filter(|(one, next)| one.0 == next.0).count();
        let primeiras = sent.len() - come_again;
        if come_again * CLIENTES_FOR_EACH_AGAIN > primeiras {
            return None;
        }
        if come_again > 0 {
            let mut before = None;
            sent.retain(|&it| {
                let first = before.replace(it.0) != Some(it.0);
                if !first {
                    again.push(it);
                }
                first
            });
            sent.append(again);
        }
        Some(primeiras)
    }

    /// The places on board, as they are sent.
    pub(super) fn places(&self) -> impl ExactSizeIterator<Item = usize> + Clone {
        self.sent.iter().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(clientes: &[i64]) -> (Option<usize>, Vec<usize>) {
        let mut order = Order::default();
        let primeiras = order.arrange(clientes.iter().copied());
        (primeiras, order.places().collect())
    }

    #[test]
    fn different_clientes_ascend() {
        assert_eq!(arranged(&[7, -1, 3]), (Some(3), vec![1, 2, 0]));
        assert_eq!(arranged(&[7]), (Some(1), vec![0]));
        assert_eq!(arranged(&[]), (Some(0), vec![]));
    }

    #[test]
    fn those_of_one_cliente_stay_in_the_order_in_which_they_joined() {
        assert_eq!(arranged(&[2, 1, 2, 1, 2]), (None, vec![1, 3, 0, 2, 4]));
        // Sixteen clientes bear one that comes again, fifteen do not.
        let sixteen: Vec<i64> = (1..=16).rev().collect();
        let (primeiras, places) = arranged(&[&[3], &sixteen[..]].concat());
        assert_eq!((primeiras, places[2], places[16]), (Some(16), 0, 14));
        assert_eq!((places[0], places[15]), (16, 1));
        let (primeiras, places) = arranged(&[&[3], &sixteen[..15]].concat());
        assert_eq!((primeiras, &places[1..3]), (None, &[0, 14][..]));
    }

    #[test]
    fn two_of_thirty_two_may_come_again_of_one_or_of_two() {
        let many: Vec<i64> = (1..=32).collect();
        let (primeiras, places) = arranged(&[&many[..], &[9, 9]].concat());
        assert_eq!((primeiras, &places[32..]), (Some(32), &[32, 33][..]));
        let (primeiras, places) = arranged(&[&[12, 9], &many[..]].concat());
        // Of both the first is the one that joined first.
        assert_eq!((places[8], places[11]), (1, 0));
        assert_eq!((primeiras, &places[32..]), (Some(32), &[10, 13][..]));
    }

    #[test]
    fn one_order_after_another_is_as_the_first() {
        let mut order = Order::default();
        for _ in 0..2 {
            assert_eq!(order.arrange((1..=16).chain([1])), Some(16));
            assert_eq!(order.places().len(), 17);
            assert_eq!(order.arrange([5, 5].into_iter()), None);
            assert_eq!(order.places().collect::<Vec<_>>(), [0, 1]);
        }
    }
}
