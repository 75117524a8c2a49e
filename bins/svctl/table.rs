//! A table, as wide as there is room.

use std::borrow::Cow;

use super::screen::{Screen, width};

/// A column.
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Whether its cells end below one another, as numbers do.
    pub(super) right: bool,
    /// Where there is no room, that with the lowest rank is left out first; none: never.
    pub(super) rank: Option<u8>,
}

/// What is in a column of a row.
pub(super) struct Cell {
    text: Cow<'static, str>,
    /// How many columns of the screen it takes: it is asked for again and again.
    width: usize,
}

impl<T: Into<Cow<'static, str>>> From<T> for Cell {
    fn from(text: T) -> Self {
        let text = text.into();
        Self { width: width(&text), text }
    }
}

/// What is shown.
pub(super) enum Line {
    /// A cell for each column, and the colour of that at [`Table::coloured`].
    Row(Vec<Cell>, &'static str),
    /// A text that belongs to the row above.
    Below(String),
}

/// A table.
pub(super) struct Table {
    pub(super) columns: &'static [Column],
    /// The column whose cells have a colour, and are cut if nothing else helps.
    pub(super) coloured: usize,
    /// The column whose cells are cut first, and to how little.
    pub(super) cut: (usize, usize),
    pub(super) lines: Vec<Line>,
}

/// What a cell that may be cut gets where nothing limits it.
const LONGEST: usize = 64;
/// What most lines have at most.
const LINE: usize = 128;

impl Table {
    /// The lines, the head first.
    pub(super) fn lines(&self, screen: &Screen) -> Vec<String> {
        let widths = self.widths(screen.columns());
        let head: Vec<_> = self.columns.iter().map(|column| Cell::from(column.head)).collect();
        let mut lines = vec![self.row(&head, "", &widths, screen)];
        let room = screen.columns().unwrap_or(usize::MAX);
        lines.extend(self.lines.iter().map(|line| match line {
            Line::Row(cells, colour) => self.row(cells, colour, &widths, screen),
            Line::Below(text) => screen.cut(text, room).into_owned(),
        }));
        lines
    }

    /// How wide each column is; none for one that is left out.
    fn widths(&self, room: Option<usize>) -> Vec<Option<usize>> {
        let widest = |at: usize| {
            let cells = self.lines.iter().filter_map(|line| match line {
                Line::Row(cells, _) => Some(cells[at].width),
                Line::Below(_) => None,
            });
            cells.chain([self.columns[at].head.len()]).max().unwrap_or(0)
        };
        let mut widths: Vec<_> = (0..self.columns.len()).map(|at| Some(widest(at))).collect();
        let (cut, least) = self.cut;
        let Some(room) = room else {
            widths[cut] = widths[cut].map(|width| width.min(LONGEST));
            return widths;
        };
        let too_wide = |widths: &[Option<usize>]| {
            let used = widths.iter().flatten().map(|width| width + 2).sum::<usize>() - 2;
            used.saturating_sub(room)
        };
        loop {
            let over = too_wide(&widths);
            if over == 0 {
                return widths;
            }
            if let Some(width) = widths[cut].filter(|width| width - width.min(&least) >= over) {
                widths[cut] = Some(width - over);
                return widths;
            }
            let ranked = self.columns.iter().enumerate().filter(|(at, _)| widths[*at].is_some());
            let next = ranked.filter_map(|(at, column)| Some((column.rank?, at))).min();
            let Some((_, at)) = next else {
                // All that is left: the cells with a colour give way, and then whatever is first.
                for at in [self.coloured, 0] {
                    let over = too_wide(&widths);
                    widths[at] = widths[at].map(|width| width.saturating_sub(over).max(width.min(6)));
                }
                return widths;
            };
            widths[at] = None;
        }
    }

    fn row(&self, cells: &[Cell], colour: &str, widths: &[Option<usize>], screen: &Screen) -> String {
        let mut line = String::with_capacity(LINE);
        for (at, cell) in cells.iter().enumerate() {
            let Some(room) = widths[at] else { continue };
            let short;
            let cell = if cell.width <= room {
                cell
            } else {
                short = Cell::from(screen.cut(&cell.text, room).into_owned());
                &short
            };
            let blanks = room - cell.width;
            let (before, after) = if self.columns[at].right { (blanks, 0) } else { (0, blanks) };
            let colour = if at == self.coloured { colour } else { "" };
            add_blanks(&mut line, before);
            line.push_str(&screen.coloured(&cell.text, colour));
            add_blanks(&mut line, after + 2);
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Adds blanks, many at once: one by one they would be an eighth of a table's time.
fn add_blanks(line: &mut String, mut count: usize) {
    const SOME: &str = "                ";
    while count > 0 {
        let part = &SOME[..count.min(SOME.len())];
        line.push_str(part);
        count -= part.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(head: &'static str, right: bool, rank: Option<u8>) -> Column {
        Column { head, right, rank }
    }

    const COLUMNS: &[Column] = &[
        column("NAME", false, None),
        column("STATE", false, None),
        column("PID", true, Some(2)),
        column("COMMAND", false, Some(3)),
        column("DEATH", false, Some(1)),
    ];

    fn text(columns: Option<usize>, colours: bool) -> String {
        let row = |cells: [&'static str; 5], colour| Line::Row(cells.map(Cell::from).into(), colour);
        let lines = vec![
            row(["a", "run", "7", "/usr/sbin/daemon --foreground", "-"], "32"),
            Line::Below("  └─ 8 a child with a long command".into()),
            row(["longer", "waiting for db", "-", "-", "exit 1"], ""),
        ];
        let table = Table { columns: COLUMNS, coloured: 1, cut: (3, 8), lines };
        let size = columns.map(|columns| (columns, 24));
        table.lines(&Screen { size, colours, utf8: true, moves: true }).join("\n")
    }

    #[test]
    fn where_there_is_room_nothing_is_left_out() {
        let whole = "NAME    STATE           PID  COMMAND                        DEATH\n\
                     a       run               7  /usr/sbin/daemon --foreground  -\n  \
                     └─ 8 a child with a long command\n\
                     longer  waiting for db    -  -                              exit 1";
        assert_eq!(text(None, false), whole);
        assert_eq!(text(Some(66), false), whole);
        assert_eq!(text(None, true), whole.replace("run", "\x1b[32mrun\x1b[m"));
    }

    #[test]
    fn where_there_is_none_columns_leave_in_their_order() {
        let head = |columns| text(Some(columns), false).lines().next().unwrap().to_owned();
        assert_eq!(head(50), "NAME    STATE           PID  COMMAND        DEATH");
        assert_eq!(head(43), "NAME    STATE           PID  COMMAND");
        assert_eq!(head(36), "NAME    STATE           COMMAND");
        assert_eq!(head(30), "NAME    STATE");
        assert_eq!(
            text(Some(18), false),
            "NAME    STATE\na       run\n  └─ 8 a child wi…\nlonger  waiting f…"
        );
        assert_eq!(text(Some(9), false).lines().last().unwrap(), "longer  waiti…");
    }
}
